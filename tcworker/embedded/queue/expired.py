"""Forgets tasks, groups, artifacts, task queues and workers that have expired: jobs of L{tcworker.embedded.expiry}."""

from __future__ import annotations

import sqlite3

from tcworker.embedded.expiry import deletion
from tcworker.embedded.queue import artifact_store


def expire_tasks(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete tasks, with whatever only they have."""
    query = "SELECT task_id FROM tasks WHERE expires < ? ORDER BY expires LIMIT ?"
    expired = [tuple(row) for row in connection.execute(query, (before, most))]
    # The agenda is left as it is: an entry without its task does nothing when it is due.
    for table, column in (
        ("dependencies", "required"),
        ("dependencies", "task_id"),
        ("pending", "task_id"),
        ("claimed", "task_id"),
        ("tasks", "task_id"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", expired)
    return len(expired)


EXPIRED = (
    artifact_store.expire,
    expire_tasks,
    deletion("groups", "group_id"),
    deletion("task_queues", "task_queue_id"),
    deletion("queue_workers", "task_queue_id, worker_group, worker_id"),
)
