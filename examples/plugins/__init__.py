"""A platform, a feature and a host of somebody else's: see README.md in this folder."""
