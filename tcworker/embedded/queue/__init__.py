"""The queue: tasks, their runs, claims and artifacts."""
