"""Task groups in the database: reading and writing them, and no rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tcworker.embedded import rows
from tcworker.embedded.queue.messages import Group
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.task_rows import COLUMNS, UNRESOLVED, page_with_definitions, task_of
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS groups (
    group_id TEXT PRIMARY KEY, scheduler_id TEXT NOT NULL, expires INTEGER NOT NULL, sealed INTEGER
);
CREATE INDEX IF NOT EXISTS groups_by_expiry ON groups (expires);
"""


class GroupStore:
    """The groups within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute

    def find(self, group_id: str) -> Group | None:
        """Give a group; C{None} when there is none."""
        row = self._run("SELECT * FROM groups WHERE group_id = ?", (group_id,)).fetchone()
        return rows.read(Group, row) if row else None

    def join(self, group_id: str, scheduler_id: str, expires: int) -> None:
        """Make a group, or let it last until C{expires} at the least."""
        self._run(
            "INSERT INTO groups (group_id, scheduler_id, expires) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET expires = excluded.expires WHERE expires < excluded.expires",
            (group_id, scheduler_id, expires),
        )

    def seal(self, group_id: str, now: int) -> None:
        """Let a group take no more tasks; one that is sealed already stays as it is."""
        self._run("UPDATE groups SET sealed = ? WHERE group_id = ? AND sealed IS NULL", (now, group_id))

    def size(self, group_id: str) -> int:
        """Give how many tasks it has."""
        count: int = self._run("SELECT count(*) FROM tasks WHERE group_id = ?", (group_id,)).fetchone()[0]
        return count

    def tasks(self, group_id: str, after: str, limit: int) -> tuple[Sequence[tuple[Task, JSON]], int]:
        """Give tasks with their definitions, in the order of their names, those after a name only: a page."""
        query = f"SELECT {COLUMNS}, definition FROM tasks WHERE group_id = ? AND task_id > ? ORDER BY task_id LIMIT ?"
        return page_with_definitions(self._run(query, (group_id, after, limit + 1)), limit)

    def unresolved(self, group_id: str, after: str, most: int) -> Sequence[Task]:
        """Give tasks that are not over, in the order of their names, those after a name only."""
        query = (
            f"SELECT {COLUMNS} FROM tasks WHERE group_id = ? AND task_id > ? AND {UNRESOLVED} ORDER BY task_id LIMIT ?"
        )
        return [task_of(row) for row in self._run(query, (group_id, after, most))]
