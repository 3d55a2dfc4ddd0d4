"""What the queue keeps in the database: reading and writing it, and no rules."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tcworker.embedded.faults import not_found
from tcworker.embedded.queue.states import Run, Task
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    task_id TEXT PRIMARY KEY, task_queue_id TEXT NOT NULL, scheduler_id TEXT NOT NULL, project_id TEXT NOT NULL,
    group_id TEXT NOT NULL, priority TEXT NOT NULL, deadline INTEGER NOT NULL, expires INTEGER NOT NULL,
    retries INTEGER NOT NULL, retries_left INTEGER NOT NULL, requires TEXT NOT NULL, runs TEXT NOT NULL,
    definition TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_of_group ON tasks (group_id, task_id);
CREATE TABLE IF NOT EXISTS groups (
    group_id TEXT PRIMARY KEY, scheduler_id TEXT NOT NULL, expires INTEGER NOT NULL, sealed INTEGER
);
CREATE TABLE IF NOT EXISTS pending (
    place INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL UNIQUE, run_id INTEGER NOT NULL,
    task_queue_id TEXT NOT NULL, rank INTEGER NOT NULL, expires INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS pending_in_order ON pending (task_queue_id, rank DESC, place);
CREATE TABLE IF NOT EXISTS dependencies (
    required TEXT NOT NULL, task_id TEXT NOT NULL, satisfied INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (required, task_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dependencies_of_task ON dependencies (task_id, satisfied);
CREATE TABLE IF NOT EXISTS artifacts (
    task_id TEXT NOT NULL, run_id INTEGER NOT NULL, name TEXT NOT NULL, storage_type TEXT NOT NULL,
    content_type TEXT NOT NULL, content_length INTEGER, expires INTEGER NOT NULL, details TEXT NOT NULL,
    PRIMARY KEY (task_id, run_id, name)
);
CREATE TABLE IF NOT EXISTS agenda (
    id INTEGER PRIMARY KEY, due INTEGER NOT NULL, kind TEXT NOT NULL, task_id TEXT NOT NULL, run_id INTEGER NOT NULL,
    taken_until INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS agenda_in_order ON agenda (due);
"""

RANKS = {"highest": 7, "very-high": 6, "high": 5, "medium": 4, "low": 3, "very-low": 2, "lowest": 1}

_TASK = (
    "task_id, task_queue_id, scheduler_id, project_id, group_id, priority, deadline, expires, retries, retries_left, "
    "requires"
)
_ARTIFACT = "task_id, run_id, name, storage_type, content_type, content_length, expires, details"


@dataclass(frozen=True)
class Artifact:
    """An artifact of a run.

    @ivar content_length: as its creator said; C{None} when they did not.
    @ivar details: what only its storage type has: C{url}, C{artifact}, or C{reason} and C{message}.
    """

    task_id: str
    run_id: int
    name: str
    storage_type: str
    content_type: str
    content_length: int | None
    expires: int
    details: JSON


@dataclass(frozen=True)
class Entry:
    """Something to be looked at when it is time.

    @ivar kind: C{claim}, C{deadline} or C{dependencies}.
    @ivar run_id: of a claim, as C{taken_until}; else 0.
    """

    due: int
    kind: str
    task_id: str
    run_id: int = 0
    taken_until: int = 0


class Store:
    """The queue's tables within one transaction.

    @ivar ready: the task queues in which this transaction put something.
    @ivar due: when the earliest entry that it put on the agenda is due; C{None} for none.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute
        self._many = connection.executemany
        self.ready: set[str] = set()
        self.due: int | None = None

    def find_task(self, task_id: str) -> Task | None:
        """Give a task; C{None} when there is none."""
        row = self._run(f"SELECT {_TASK}, runs FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return _task(row) if row else None

    def task(self, task_id: str) -> Task:
        """Give a task. Raises L{ApiError} when there is none."""
        task = self.find_task(task_id)
        if task is None:
            raise not_found(f"There is no task {task_id}.")
        return task

    def definition(self, task_id: str) -> JSON:
        """Give a task's definition. Raises L{ApiError} when there is no such task."""
        row = self._run("SELECT definition FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        if row is None:
            raise not_found(f"There is no task {task_id}.")
        return json.loads(row[0])

    def add_task(self, task: Task, definition: JSON) -> None:
        """Keep a new task."""
        values = (*_values(task)[:-1], _runs(task), json.dumps(definition))
        self._run(f"INSERT INTO tasks ({_TASK}, runs, definition) VALUES ({_places(values)})", values)

    def change_task(self, task: Task) -> None:
        """Keep what became of a task."""
        values = (task.priority, task.retries_left, _runs(task), task.task_id)
        self._run("UPDATE tasks SET priority = ?, retries_left = ?, runs = ? WHERE task_id = ?", values)

    def tasks_of_group(self, group_id: str, after: str, most: int) -> Sequence[tuple[Task, JSON]]:
        """Give tasks of a group with their definitions, in the order of their names, those after a name only."""
        query = (
            f"SELECT {_TASK}, runs, definition FROM tasks WHERE group_id = ? AND task_id > ? ORDER BY task_id LIMIT ?"
        )
        return [(_task(row), json.loads(row["definition"])) for row in self._run(query, (group_id, after, most))]

    def group(self, group_id: str) -> sqlite3.Row | None:
        """Give a group: C{scheduler_id}, C{expires}, C{sealed}."""
        row: sqlite3.Row | None = self._run("SELECT * FROM groups WHERE group_id = ?", (group_id,)).fetchone()
        return row

    def join_group(self, group_id: str, scheduler_id: str, expires: int) -> None:
        """Make a group, or let it last until C{expires} at the least."""
        self._run(
            "INSERT INTO groups VALUES (?, ?, ?, NULL)"
            " ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires)",
            (group_id, scheduler_id, expires),
        )

    def add_pending(self, task: Task) -> None:
        """Let a task's last run wait for a worker, behind all others of its priority."""
        values = (task.task_id, len(task.runs) - 1, task.task_queue_id, RANKS[task.priority], task.deadline)
        self._run("INSERT INTO pending (task_id, run_id, task_queue_id, rank, expires) VALUES (?, ?, ?, ?, ?)", values)
        self.ready.add(task.task_queue_id)

    def remove_pending(self, task_id: str) -> None:
        """Let nobody have it."""
        self._run("DELETE FROM pending WHERE task_id = ?", (task_id,))

    def pending(self, task_queue_id: str, now: int, most: int) -> Sequence[tuple[str, int]]:
        """Give task and run of those who wait, in the order in which they are to be handed out."""
        query = (
            "SELECT task_id, run_id FROM pending WHERE task_queue_id = ? AND expires > ?"
            " ORDER BY rank DESC, place LIMIT ?"
        )
        return [(row[0], row[1]) for row in self._run(query, (task_queue_id, now, most))]

    def add_dependencies(self, task_id: str, required: Iterable[str]) -> None:
        """Let a task wait for others."""
        self._many("INSERT INTO dependencies (required, task_id) VALUES (?, ?)", [(one, task_id) for one in required])

    # What is satisfied is kept, so that a task's dependencies can still be listed.
    def satisfy(self, required: str, task_id: str) -> None:
        """A task need no longer wait for another."""
        self._run("UPDATE dependencies SET satisfied = 1 WHERE required = ? AND task_id = ?", (required, task_id))

    def waits(self, task_id: str) -> bool:
        """Whether a task still waits for another."""
        query = "SELECT 1 FROM dependencies WHERE task_id = ? AND satisfied = 0 LIMIT 1"
        return self._run(query, (task_id,)).fetchone() is not None

    def dependents(self, required: str) -> Sequence[Task]:
        """Give the tasks that wait, or waited, for one."""
        query = f"SELECT {_TASK}, runs FROM tasks JOIN dependencies USING (task_id) WHERE required = ?"
        return [_task(row) for row in self._run(query, (required,))]

    def artifact(self, task_id: str, run_id: int, name: str) -> Artifact | None:
        """Give an artifact; C{None} when there is none."""
        query = f"SELECT {_ARTIFACT} FROM artifacts WHERE task_id = ? AND run_id = ? AND name = ?"
        row = self._run(query, (task_id, run_id, name)).fetchone()
        return _artifact(row) if row else None

    def put_artifact(self, artifact: Artifact) -> None:
        """Keep an artifact, in place of one of the same name."""
        values = (*_values(artifact)[:-1], json.dumps(artifact.details))
        self._run(f"INSERT OR REPLACE INTO artifacts ({_ARTIFACT}) VALUES ({_places(values)})", values)

    def artifacts(self, task_id: str, run_id: int, after: str, most: int) -> Sequence[Artifact]:
        """Give artifacts of a run in the order of their names, those after a name only."""
        query = f"SELECT {_ARTIFACT} FROM artifacts WHERE task_id = ? AND run_id = ? AND name > ? ORDER BY name LIMIT ?"
        return [_artifact(row) for row in self._run(query, (task_id, run_id, after, most))]

    def put_on_agenda(self, entry: Entry) -> None:
        """Let something be looked at later."""
        values = _values(entry)
        self._run(f"INSERT INTO agenda (due, kind, task_id, run_id, taken_until) VALUES ({_places(values)})", values)
        self.due = entry.due if self.due is None else min(self.due, entry.due)

    def take_from_agenda(self, now: int, most: int) -> Sequence[Entry]:
        """Give what is due, and forget it."""
        query = "SELECT * FROM agenda WHERE due <= ? ORDER BY due, id LIMIT ?"
        rows = self._run(query, (now, most)).fetchall()
        self._many("DELETE FROM agenda WHERE id = ?", [(row["id"],) for row in rows])
        return [Entry(*tuple(row)[1:]) for row in rows]

    def next_on_agenda(self) -> int | None:
        """When something is due next; C{None} for never."""
        due: int | None = self._run("SELECT min(due) FROM agenda").fetchone()[0]
        return due


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _values(record: Task | Artifact | Entry) -> tuple[Any, ...]:
    return tuple(vars(record).values())


def _runs(task: Task) -> str:
    return json.dumps([vars(run) for run in task.runs])


def _task(row: sqlite3.Row) -> Task:
    columns: tuple[Any, ...] = (*tuple(row)[:11], tuple(Run(**run) for run in json.loads(row["runs"])))
    return Task(*columns)


def _artifact(row: sqlite3.Row) -> Artifact:
    columns: tuple[Any, ...] = (*tuple(row)[:-1], json.loads(row["details"]))
    return Artifact(*columns)
