"""Tasks as rows of the database, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from tcworker.embedded import rows
from tcworker.embedded.queue.states import Run, Task
from tcworker.interfaces import JSON

UNRESOLVED = "state IN ('unscheduled', 'pending', 'running')"
"""As the index has it, word for word: else SQLite would not use it."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS tasks (
    task_id TEXT PRIMARY KEY, task_queue_id TEXT NOT NULL, scheduler_id TEXT NOT NULL, project_id TEXT NOT NULL,
    group_id TEXT NOT NULL, priority TEXT NOT NULL, deadline INTEGER NOT NULL, expires INTEGER NOT NULL,
    retries INTEGER NOT NULL, retries_left INTEGER NOT NULL, requires TEXT NOT NULL, runs TEXT NOT NULL,
    state TEXT NOT NULL, definition TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_of_group ON tasks (group_id, task_id);
CREATE INDEX IF NOT EXISTS unresolved_of_group ON tasks (group_id, task_id)
    WHERE {UNRESOLVED};
CREATE INDEX IF NOT EXISTS tasks_by_expiry ON tasks (expires);
"""

COLUMNS = ", ".join(f"tasks.{name}" for name in rows.names_of(Task))
"""What L{task_of} needs."""


def task_of(row: sqlite3.Row) -> Task:
    """Give the task of a row that has L{COLUMNS}."""
    return rows.read(Task, row, runs=tuple(Run(**run) for run in json.loads(row["runs"])))


def row_of(task: Task, definition: JSON) -> Mapping[str, object]:
    """Give all of a task's row, by column."""
    return {**vars(task), "runs": runs_of(task), "state": task.state, "definition": json.dumps(definition)}


def runs_of(task: Task) -> str:
    """Give what is kept of its runs."""
    return json.dumps([vars(run) for run in task.runs])
