"""C{tcworker run}: tasks from files, run here, on a Taskcluster that lasts as long as they do."""
