"""A Taskcluster in one process, for one machine."""

ROOT_CLIENT = "static/taskcluster/root"
"""The client who may do everything, unless somebody gives it another name."""
