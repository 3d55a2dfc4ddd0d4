"""Task groups at a glance: what a page shows of thousands of tasks, and no call of the queue tells.

Groups and tasks are in the order in which they were made. Their row ids have it, so both tables must keep them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tcworker.embedded import rows

SCHEMA = """
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (group_id, state);
CREATE INDEX IF NOT EXISTS tasks_by_age ON tasks (group_id);
"""
"""The row id, which is at the end of each index, puts both in the order in which the tasks were made."""

_GROUP = "rowid AS place, group_id, scheduler_id, expires, sealed IS NOT NULL AS sealed"

_TASK = (
    "rowid AS place, task_id, task_queue_id, json_extract(definition, '$.metadata.name') AS name,"
    " json_extract(definition, '$.created') AS created,"
    " state, json_array_length(runs) AS runs,"
    " json_extract(runs, '$[#-1].started') AS started, json_extract(runs, '$[#-1].resolved') AS resolved,"
    " json_extract(runs, '$[#-1].reason_resolved') AS reason"
)


@dataclass(frozen=True)
class GroupRow:
    """A task group in a list; C{expires} in milliseconds.

    @ivar place: in the order in which groups were made.
    """

    place: int
    group_id: str
    scheduler_id: str
    expires: int
    sealed: bool


@dataclass(frozen=True)
class TaskRow:
    """A task in a list.

    @ivar place: in the order in which tasks were made.
    @ivar created: as its definition says.
    @ivar runs: how many there are.
    @ivar started: of the last run, in milliseconds, as is C{resolved}; C{None} before.
    @ivar reason: why the last run was resolved; C{None} before.
    """

    place: int
    task_id: str
    task_queue_id: str
    name: str
    created: str
    state: str
    runs: int
    started: int | None
    resolved: int | None
    reason: str | None


class OverviewStore:
    """Groups and their tasks within one transaction, only to be read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute

    def groups(self, before: int, most: int) -> Sequence[GroupRow]:
        """Give groups, the newest first, those older than a place only."""
        query = f"SELECT {_GROUP} FROM groups WHERE rowid < ? ORDER BY rowid DESC LIMIT ?"
        return [_group(row) for row in self._run(query, (before, most))]

    def group(self, group_id: str) -> GroupRow | None:
        """Give one group; C{None} when there is none."""
        row = self._run(f"SELECT {_GROUP} FROM groups WHERE group_id = ?", (group_id,)).fetchone()
        return _group(row) if row else None

    def states(self, group_id: str) -> Mapping[str, int]:
        """Count the tasks of a group in each state, without reading one."""
        query = "SELECT state, count(*) AS count FROM tasks WHERE group_id = ? GROUP BY state"
        return {row["state"]: row["count"] for row in self._run(query, (group_id,))}

    def tasks(self, group_id: str, state: str | None, after: int, most: int) -> Sequence[TaskRow]:
        """Give tasks of a group, in one state only unless that is C{None}, and after a place only."""
        by, chosen = ("tasks_by_age", "") if state is None else ("tasks_by_state", " AND state = :state")
        # By that index, or all tasks of the group would be read and sorted.
        query = (
            f"SELECT {_TASK} FROM tasks INDEXED BY {by} WHERE group_id = :group{chosen} AND rowid > :after"
            " ORDER BY rowid LIMIT :most"
        )
        given = {"group": group_id, "state": state, "after": after, "most": most}
        return [rows.read(TaskRow, row) for row in self._run(query, given)]


def _group(row: sqlite3.Row) -> GroupRow:
    return rows.read(GroupRow, row, sealed=bool(row["sealed"]))
