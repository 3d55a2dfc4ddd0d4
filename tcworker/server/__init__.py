"""C{tcworker server}: a Taskcluster for one machine, with a worker of its own."""
