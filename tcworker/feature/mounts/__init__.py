"""Files, folders and caches that are put in place before a task runs, and what becomes of the caches afterwards."""
