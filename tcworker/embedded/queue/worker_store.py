"""Workers and task queues in the database: what was seen of them (contracts of the queue, 1.8)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tcworker.embedded import dates, rows
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS task_queues (
    task_queue_id TEXT PRIMARY KEY, expires INTEGER NOT NULL, last_date_active INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS task_queues_by_end ON task_queues (expires);
CREATE TABLE IF NOT EXISTS queue_workers (
    task_queue_id TEXT NOT NULL, worker_group TEXT NOT NULL, worker_id TEXT NOT NULL, expires INTEGER NOT NULL,
    first_claim INTEGER NOT NULL, last_date_active INTEGER NOT NULL, quarantine_until INTEGER NOT NULL,
    recent_tasks TEXT NOT NULL DEFAULT '[]', quarantine_details TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (task_queue_id, worker_group, worker_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS queue_workers_by_end ON queue_workers (expires);
"""
"""L{tcworker.embedded.worker_manager.active_calls} has a query of its own, which joins C{queue_workers} with what the
worker-manager knows of workers: it reads all columns by these names."""

QUEUE_LIFE = 5 * dates.DAY
WORKER_LIFE = dates.DAY
UPDATED = 30 * dates.MINUTE
"""How old the date of somebody's last sign of life may be before it is written anew."""

RECENT = 20

_THIS = "task_queue_id = ? AND worker_group = ? AND worker_id = ?"


class WorkerKey(NamedTuple):
    """Whom a worker is known as."""

    task_queue_id: str
    worker_group: str
    worker_id: str


@dataclass(frozen=True)
class Worker:
    """What is known of a worker; dates in milliseconds.

    @ivar recent_tasks: C{taskId} and C{runId} of what it claimed, the last at the end.
    @ivar quarantine_details: who changed its quarantine, when and why.
    """

    key: WorkerKey
    expires: int
    first_claim: int
    last_date_active: int
    quarantine_until: int
    recent_tasks: Sequence[JSON]
    quarantine_details: Sequence[JSON]


@dataclass(frozen=True)
class TaskQueue:
    """What is known of a task queue; dates in milliseconds."""

    task_queue_id: str
    expires: int
    last_date_active: int


class WorkerStore:
    """Workers and task queues within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute

    def saw_queue(self, task_queue_id: str, now: int) -> None:
        """Somebody used a task queue."""
        # Most of the time nothing is written: then the transaction costs no more than a look.
        self._run(
            "INSERT INTO task_queues (task_queue_id, expires, last_date_active) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET expires = excluded.expires, last_date_active = excluded.last_date_active"
            " WHERE last_date_active <= ?",
            (task_queue_id, now + QUEUE_LIFE, now, now - UPDATED),
        )

    def saw(self, key: WorkerKey, now: int) -> None:
        """A worker gave a sign of life."""
        self._run(
            "INSERT INTO queue_workers (task_queue_id, worker_group, worker_id, expires, first_claim, last_date_active,"
            " quarantine_until) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " expires = max(expires, excluded.expires), last_date_active = excluded.last_date_active"
            " WHERE last_date_active <= ?",
            (*key, now + WORKER_LIFE, now, now, now, now - UPDATED),
        )
        self.saw_queue(key.task_queue_id, now)

    def is_quarantined(self, key: WorkerKey, now: int) -> bool:
        """Whether a worker is to get nothing at present."""
        query = f"SELECT 1 FROM queue_workers WHERE {_THIS} AND quarantine_until > ?"
        return self._run(query, (*key, now)).fetchone() is not None

    def add_recent(self, key: WorkerKey, claimed: JSON) -> None:
        """Remember what a worker claimed."""
        row = self._run(f"SELECT recent_tasks FROM queue_workers WHERE {_THIS}", key).fetchone()
        recent = [*json.loads(row[0]), claimed][-RECENT:]
        self._run(f"UPDATE queue_workers SET recent_tasks = ? WHERE {_THIS}", (json.dumps(recent), *key))

    def declare(self, key: WorkerKey, expires: int) -> None:
        """Let what is known of a worker be kept until then."""
        self._run(f"UPDATE queue_workers SET expires = ? WHERE {_THIS}", (expires, *key))

    def quarantine(self, key: WorkerKey, until: int, details: Sequence[JSON]) -> None:
        """Keep a worker from work until then; it is not forgotten before."""
        self._run(
            "UPDATE queue_workers SET quarantine_until = ?, quarantine_details = ?, expires = max(expires, ?)"
            f" WHERE {_THIS}",
            (until, json.dumps(details), until, *key),
        )

    def find(self, key: WorkerKey, now: int) -> Worker | None:
        """Give a worker; C{None} when there is none any more."""
        query = f"SELECT * FROM queue_workers WHERE {_THIS} AND expires > ?"
        row = self._run(query, (*key, now)).fetchone()
        return _worker(row) if row else None

    def of_queue(self, task_queue_id: str, now: int, after: tuple[str, str], most: int, which: str) -> Sequence[Worker]:
        """Give workers of a task queue in the order of their names, those after a name only.

        @param which: C{true} for those in quarantine only, C{false} for the others only, and nothing for both.
        """
        quarantined = {"true": "AND quarantine_until > :now", "false": "AND quarantine_until <= :now"}.get(which, "")
        query = (
            "SELECT * FROM queue_workers WHERE task_queue_id = :queue"
            f" AND (worker_group, worker_id) > (:group, :id) AND expires > :now {quarantined}"
            " ORDER BY worker_group, worker_id LIMIT :most"
        )
        given = {"queue": task_queue_id, "group": after[0], "id": after[1], "now": now, "most": most}
        return [_worker(row) for row in self._run(query, given)]

    def find_queue(self, task_queue_id: str, now: int) -> TaskQueue | None:
        """Give a task queue; C{None} when there is none any more."""
        query = "SELECT * FROM task_queues WHERE task_queue_id = ? AND expires > ?"
        row = self._run(query, (task_queue_id, now)).fetchone()
        return rows.read(TaskQueue, row) if row else None

    def queues(self, prefix: str, now: int, after: str, most: int) -> Sequence[TaskQueue]:
        """Give task queues whose names begin so, in the order of their names, those after a name only."""
        # All that may stand in a name comes before DEL.
        query = (
            "SELECT * FROM task_queues WHERE task_queue_id > ? AND task_queue_id >= ? AND task_queue_id < ?"
            " AND expires > ? ORDER BY task_queue_id LIMIT ?"
        )
        return [rows.read(TaskQueue, row) for row in self._run(query, (after, prefix, f"{prefix}\x7f", now, most))]


def _worker(row: sqlite3.Row) -> Worker:
    key = WorkerKey(row["task_queue_id"], row["worker_group"], row["worker_id"])
    recent, details = json.loads(row["recent_tasks"]), json.loads(row["quarantine_details"])
    return rows.read(Worker, row, key=key, recent_tasks=recent, quarantine_details=details)
