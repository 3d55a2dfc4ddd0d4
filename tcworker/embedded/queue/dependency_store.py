"""Who waits for whom, in the database: reading and writing it, and no rules.

What is satisfied is kept, so that a task's dependents can still be listed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.task_rows import COLUMNS, page_with_definitions, task_of
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS dependencies (
    required TEXT NOT NULL, task_id TEXT NOT NULL, satisfied INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (required, task_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dependencies_of_task ON dependencies (task_id, satisfied);
CREATE INDEX IF NOT EXISTS unsatisfied_by ON dependencies (required, task_id) WHERE satisfied = 0;
"""

_SATISFIED = (
    "EXISTS (SELECT 1 FROM tasks AS other WHERE other.task_id = dependencies.required AND (other.state = 'completed'"
    " OR (other.state IN ('failed', 'exception') AND ? = 'all-resolved')))"
)


class DependencyStore:
    """The dependencies within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute
        self._many = connection.executemany

    def add(self, task: Task, required: Iterable[str]) -> None:
        """Let a task wait for others, as far as they are not over already."""
        pairs = [(one, task.task_id) for one in required]
        self._many("INSERT INTO dependencies (required, task_id) VALUES (?, ?)", pairs)
        query = f"UPDATE dependencies SET satisfied = 1 WHERE task_id = ? AND {_SATISFIED}"
        self._run(query, (task.task_id, task.requires))

    def unfit(self, task: Task) -> tuple[str, bool] | None:
        """Give one that cannot be waited for, and whether it is there: then it expires too early."""
        query = (
            "SELECT required, tasks.task_id IS NOT NULL FROM dependencies LEFT JOIN tasks ON tasks.task_id = required"
            " WHERE dependencies.task_id = ? AND (tasks.task_id IS NULL OR tasks.expires < ?) LIMIT 1"
        )
        row = self._run(query, (task.task_id, task.deadline)).fetchone()
        return (row[0], bool(row[1])) if row else None

    def waits(self, task_id: str) -> bool:
        """Whether a task still waits for another."""
        query = "SELECT 1 FROM dependencies WHERE task_id = ? AND satisfied = 0 LIMIT 1"
        return self._run(query, (task_id,)).fetchone() is not None

    def waiting_for(self, required: str, state: str, most: int) -> Sequence[Task]:
        """Give tasks that wait for one and for whom it is what they wait for, that it has ended in this state."""
        # By that index, or each piece would go once more through all who waited before.
        enough = "'all-completed', 'all-resolved'" if state == "completed" else "'all-resolved'"
        query = (
            f"SELECT {COLUMNS} FROM dependencies INDEXED BY unsatisfied_by JOIN tasks USING (task_id)"
            f" WHERE required = ? AND satisfied = 0 AND requires IN ({enough}) LIMIT ?"
        )
        return [task_of(row) for row in self._run(query, (required, most))]

    def satisfy(self, required: str, task_id: str) -> None:
        """A task need no longer wait for another."""
        self._run("UPDATE dependencies SET satisfied = 1 WHERE required = ? AND task_id = ?", (required, task_id))

    def dependents(self, required: str, after: str, limit: int) -> tuple[Sequence[tuple[Task, JSON]], int]:
        """Give the tasks that wait, or waited, for one, in order of their names, after one: a page."""
        query = (
            f"SELECT {COLUMNS}, definition FROM dependencies JOIN tasks USING (task_id)"
            " WHERE required = ? AND dependencies.task_id > ? ORDER BY dependencies.task_id LIMIT ?"
        )
        return page_with_definitions(self._run(query, (required, after, limit + 1)), limit)
