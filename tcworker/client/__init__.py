"""Taskcluster over HTTP, as Deferreds."""
