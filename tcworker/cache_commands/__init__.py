"""C{tcworker caches}: what somebody on a worker's machine can do with what it keeps for tasks."""
