"""Mounts of a task."""
