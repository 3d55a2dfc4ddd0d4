"""What the queue keeps in the database: reading and writing it, and no rules."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from tcworker.embedded import rows
from tcworker.embedded.faults import not_found
from tcworker.embedded.outbox import Message
from tcworker.embedded.queue import (
    artifact_store,
    dependency_store,
    group_store,
    open_run_store,
    overview_store,
    task_rows,
    worker_store,
)
from tcworker.embedded.queue.artifact_store import ArtifactStore
from tcworker.embedded.queue.dependency_store import DependencyStore
from tcworker.embedded.queue.group_store import GroupStore
from tcworker.embedded.queue.messages import About
from tcworker.embedded.queue.open_run_store import OpenRunStore
from tcworker.embedded.queue.overview_store import OverviewStore
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.task_rows import COLUMNS, row_of, runs_of, task_of
from tcworker.embedded.queue.worker_store import WorkerStore
from tcworker.interfaces import JSON

_OWN_SCHEMA = """
CREATE TABLE IF NOT EXISTS agenda (
    id INTEGER PRIMARY KEY, due INTEGER NOT NULL, kind TEXT NOT NULL, task_id TEXT NOT NULL, run_id INTEGER NOT NULL,
    taken_until INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS agenda_in_order ON agenda (due);
"""

SCHEMA = _OWN_SCHEMA + "".join(
    module.SCHEMA
    for module in (
        task_rows,
        open_run_store,
        dependency_store,
        group_store,
        overview_store,
        worker_store,
        artifact_store,
    )
)


@dataclass(frozen=True)
class Entry:
    """Something to be looked at when it is time.

    @ivar kind: C{claim}, C{deadline} or C{dependencies}.
    @ivar run_id: of a claim, as C{taken_until}, and of the end that others waited for; else 0.
    """

    due: int
    kind: str
    task_id: str
    run_id: int = 0
    taken_until: int = 0


class Store:
    """The queue's tables within one transaction.

    @ivar connection: for what other services keep in the same transaction.
    @ivar open_runs: which runs wait for a worker, and which are with one.
    @ivar due: when the earliest entry that it put on the agenda is due; C{None} for none.
    @ivar messages: what is to be told, in order, once it is kept.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._run = connection.execute
        self._many = connection.executemany
        self.artifacts = ArtifactStore(connection)
        self.open_runs = OpenRunStore(connection)
        self.dependencies = DependencyStore(connection)
        self.groups = GroupStore(connection)
        self.overview = OverviewStore(connection)
        self.workers = WorkerStore(connection)
        self.due: int | None = None
        self.messages: list[Message] = []

    @property
    def ready(self) -> set[str]:
        """The task queues in which this transaction put something."""
        return self.open_runs.ready

    def find_task(self, task_id: str) -> Task | None:
        """Give a task; C{None} when there is none."""
        row = self._run(f"SELECT {COLUMNS} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return task_of(row) if row else None

    def task(self, task_id: str) -> Task:
        """Give a task. Raises L{ApiError} when there is none."""
        task = self.find_task(task_id)
        if task is None:
            raise not_found(f"There is no task {task_id}.")
        return task

    def find_definition(self, task_id: str) -> JSON:
        """Give a task's definition; C{None} when there is no such task."""
        row = self._run("SELECT definition FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def size(self, task_id: str) -> int:
        """Give how many characters a task's definition has; 0 when there is no such task."""
        row = self._run("SELECT length(definition) FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return int(row[0]) if row else 0

    def definition(self, task_id: str) -> JSON:
        """Give a task's definition. Raises L{ApiError} when there is no such task."""
        definition = self.find_definition(task_id)
        if definition is None:
            raise not_found(f"There is no task {task_id}.")
        return definition

    def about(self, task_id: str) -> About:
        """Give what messages about a task take from its definition."""
        # Read at each change of a task: so SQLite picks out the two, and definitions may be large.
        parts = "json_extract(definition, '$.tags'), json_extract(definition, '$.routes')"
        tags, routes = self._run(f"SELECT {parts} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return About(json.loads(tags), json.loads(routes))

    def add_task(self, task: Task, definition: JSON) -> None:
        """Keep a new task."""
        rows.add(self.connection, "tasks", row_of(task, definition))

    def change_task(self, before: Task, after: Task) -> None:
        """Keep what became of a task, among those that wait or run too."""
        values = (after.priority, after.retries_left, runs_of(after), after.state, after.task_id)
        self._run("UPDATE tasks SET priority = ?, retries_left = ?, runs = ?, state = ? WHERE task_id = ?", values)
        if after.priority != before.priority:
            query = "UPDATE tasks SET definition = json_set(definition, '$.priority', ?) WHERE task_id = ?"
            self._run(query, (after.priority, after.task_id))
        self.open_runs.follow(before, after)

    def put_on_agenda(self, entry: Entry) -> None:
        """Let something be looked at later."""
        rows.add(self.connection, "agenda", vars(entry))
        self.due = entry.due if self.due is None else min(self.due, entry.due)

    def take_from_agenda(self, now: int, most: int) -> Sequence[Entry]:
        """Give what is due, and forget it."""
        query = "SELECT * FROM agenda WHERE due <= ? ORDER BY due, id LIMIT ?"
        taken = self._run(query, (now, most)).fetchall()
        self._many("DELETE FROM agenda WHERE id = ?", [(row["id"],) for row in taken])
        return [rows.read(Entry, row) for row in taken]

    def next_on_agenda(self) -> int | None:
        """When something is due next; C{None} for never."""
        due: int | None = self._run("SELECT min(due) FROM agenda").fetchone()[0]
        return due
