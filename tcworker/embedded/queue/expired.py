"""Forgets tasks, groups, task queues and workers that have expired: jobs of L{tcworker.embedded.expiry}."""

from __future__ import annotations

import sqlite3


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


def expire_groups(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete groups."""
    query = (
        "DELETE FROM groups WHERE group_id IN (SELECT group_id FROM groups WHERE expires < ? ORDER BY expires LIMIT ?)"
    )
    return connection.execute(query, (before, most)).rowcount


def expire_queues(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete task queues."""
    these = "SELECT task_queue_id FROM task_queues WHERE expires < ? LIMIT ?"
    return connection.execute(f"DELETE FROM task_queues WHERE task_queue_id IN ({these})", (before, most)).rowcount


def expire_workers(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete workers."""
    key = "(task_queue_id, worker_group, worker_id)"
    these = "SELECT task_queue_id, worker_group, worker_id FROM queue_workers WHERE expires < ? LIMIT ?"
    return connection.execute(f"DELETE FROM queue_workers WHERE {key} IN ({these})", (before, most)).rowcount


EXPIRED = (expire_tasks, expire_groups, expire_queues, expire_workers)
