"""Which runs wait for a worker and which are with one, queue by queue: reading and writing it, and no rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from tcworker.embedded import rows
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.task_rows import COLUMNS, page_of_rows

SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    place INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL UNIQUE, run_id INTEGER NOT NULL,
    task_queue_id TEXT NOT NULL, rank INTEGER NOT NULL, expires INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS pending_in_order ON pending (task_queue_id, rank DESC, place, expires);
CREATE INDEX IF NOT EXISTS pending_by_age ON pending (task_queue_id, place);
CREATE TABLE IF NOT EXISTS claimed (
    place INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL UNIQUE, run_id INTEGER NOT NULL,
    task_queue_id TEXT NOT NULL, worker_group TEXT NOT NULL, worker_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS claimed_by_age ON claimed (task_queue_id, place);
"""

RANKS = {"highest": 7, "very-high": 6, "high": 5, "medium": 4, "low": 3, "very-low": 2, "lowest": 1}


class OpenRunStore:
    """The two tables within one transaction.

    @ivar ready: the task queues in which this transaction put something.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._run = connection.execute
        self.ready: set[str] = set()

    def follow(self, before: Task, after: Task) -> None:
        """Put a task where it belongs after a change."""
        if before.state == after.state and len(before.runs) == len(after.runs):
            # It keeps its place among those of its new priority.
            if before.priority != after.priority:
                self._run("UPDATE pending SET rank = ? WHERE task_id = ?", (RANKS[after.priority], after.task_id))
            return
        if before.state in ("pending", "running"):
            self._run(f"DELETE FROM {_table(before)} WHERE task_id = ?", (before.task_id,))
        if after.state == "pending":
            self._add_pending(after)
        elif after.state == "running":
            self._add_claimed(after)

    def _add_pending(self, task: Task) -> None:
        placed = {**_placed(task), "rank": RANKS[task.priority], "expires": task.deadline}
        rows.add(self._connection, "pending", placed)
        self.ready.add(task.task_queue_id)

    def _add_claimed(self, task: Task) -> None:
        run = task.runs[-1]
        placed = {**_placed(task), "worker_group": run.worker_group, "worker_id": run.worker_id}
        rows.add(self._connection, "claimed", placed)

    def next(self, task_queue_id: str, now: int, most: int) -> Sequence[tuple[str, int]]:
        """Give task and run of those who wait, in the order in which they are to be handed out."""
        query = (
            "SELECT task_id, run_id FROM pending WHERE task_queue_id = ? AND expires > ?"
            " ORDER BY rank DESC, place LIMIT ?"
        )
        return [(row[0], row[1]) for row in self._run(query, (task_queue_id, now, most))]

    def count(self, task_queue_id: str, now: int) -> tuple[int, int]:
        """Give how many wait, and how many are with a worker."""
        # The index has all of this: no row is read.
        query = "SELECT count(*) FROM pending WHERE task_queue_id = ? AND expires > ?"
        pending: int = self._run(query, (task_queue_id, now)).fetchone()[0]
        query = "SELECT count(*) FROM claimed WHERE task_queue_id = ?"
        claimed: int = self._run(query, (task_queue_id,)).fetchone()[0]
        return pending, claimed

    def list_pending(self, task_queue_id: str, now: int, after: int, limit: int) -> tuple[Sequence[sqlite3.Row], int]:
        """Give those who wait, the oldest first, after a C{place}: rows of a task with C{definition} and C{place}.

        They come as L{page_of_rows} gives them.
        """
        query = (
            f"SELECT {COLUMNS}, definition, place FROM pending JOIN tasks USING (task_id)"
            " WHERE pending.task_queue_id = ? AND pending.expires > ? AND place > ? ORDER BY place LIMIT ?"
        )
        return page_of_rows(self._run(query, (task_queue_id, now, after, limit + 1)), limit)

    def list_claimed(self, task_queue_id: str, after: int, limit: int) -> tuple[Sequence[sqlite3.Row], int]:
        """Give those that are with a worker, as L{list_pending} does."""
        query = (
            f"SELECT {COLUMNS}, definition, place FROM claimed JOIN tasks USING (task_id)"
            " WHERE claimed.task_queue_id = ? AND place > ? ORDER BY place LIMIT ?"
        )
        return page_of_rows(self._run(query, (task_queue_id, after, limit + 1)), limit)

    def claimed_by(self, task_queue_id: str, worker_group: str, worker_id: str) -> Sequence[tuple[str, int]]:
        """Give task and run of those that are with one worker."""
        query = "SELECT task_id, run_id FROM claimed WHERE task_queue_id = ? AND worker_group = ? AND worker_id = ?"
        return [(row[0], row[1]) for row in self._run(query, (task_queue_id, worker_group, worker_id))]


def _placed(task: Task) -> Mapping[str, object]:
    return {"task_id": task.task_id, "run_id": len(task.runs) - 1, "task_queue_id": task.task_queue_id}


def _table(task: Task) -> str:
    return "pending" if task.state == "pending" else "claimed"
