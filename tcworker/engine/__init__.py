"""The platforms that tasks run on."""
