"""Tasks as rows of the database, and back."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from tcworker.embedded.queue.states import Run, Task

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    task_id TEXT PRIMARY KEY, task_queue_id TEXT NOT NULL, scheduler_id TEXT NOT NULL, project_id TEXT NOT NULL,
    group_id TEXT NOT NULL, priority TEXT NOT NULL, deadline INTEGER NOT NULL, expires INTEGER NOT NULL,
    retries INTEGER NOT NULL, retries_left INTEGER NOT NULL, requires TEXT NOT NULL, runs TEXT NOT NULL,
    state TEXT NOT NULL, definition TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_of_group ON tasks (group_id, task_id);
CREATE INDEX IF NOT EXISTS unresolved_of_group ON tasks (group_id, task_id)
    WHERE state IN ('unscheduled', 'pending', 'running');
CREATE INDEX IF NOT EXISTS tasks_by_expiry ON tasks (expires);
"""

UNRESOLVED = "state IN ('unscheduled', 'pending', 'running')"
"""As the index has it, word for word: else SQLite would not use it."""

COLUMNS = (
    "tasks.task_id, tasks.task_queue_id, tasks.scheduler_id, tasks.project_id, tasks.group_id, tasks.priority, "
    "tasks.deadline, tasks.expires, tasks.retries, tasks.retries_left, tasks.requires, tasks.runs"
)
"""What L{task_of} needs."""


def task_of(row: sqlite3.Row) -> Task:
    """Give the task of a row that begins with L{COLUMNS}."""
    columns: tuple[Any, ...] = (*tuple(row)[:11], tuple(Run(**run) for run in json.loads(row["runs"])))
    return Task(*columns)


def row_of(task: Task) -> tuple[Any, ...]:
    """Give the values of L{COLUMNS}, in their order."""
    return (*tuple(vars(task).values())[:-1], runs_of(task))


def runs_of(task: Task) -> str:
    """Give what is kept of its runs."""
    return json.dumps([vars(run) for run in task.runs])
