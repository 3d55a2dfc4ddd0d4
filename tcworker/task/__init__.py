"""One claimed run, from claim to clean-up."""
