"""A Taskcluster in one process, for one machine."""
