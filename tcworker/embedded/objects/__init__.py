"""The object service: contents that are stored under names, apart from any task."""
