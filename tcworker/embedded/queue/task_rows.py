"""Tasks as rows of the database, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from tcworker.embedded import rows
from tcworker.embedded.queue.states import Run, Task
from tcworker.interfaces import JSON

LONG_ANSWER = 4 << 20
"""Characters of definitions after which an answer holds no further task: the next call gets what else there is."""

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


def page_of_rows(rows: Iterable[sqlite3.Row], limit: int) -> tuple[Sequence[sqlite3.Row], int]:
    """Take the rows of a page, and one more if there are more.

    Gives them, and how many of them are on the page: C{limit}, or fewer if their C{definition}s are long.
    """
    taken: list[sqlite3.Row] = []
    size = 0
    for row in rows:
        taken.append(row)
        if len(taken) > limit or size > LONG_ANSWER:
            return taken, len(taken) - 1
        size += len(row["definition"])
    return taken, limit


def page_with_definitions(rows: Iterable[sqlite3.Row], limit: int) -> tuple[Sequence[tuple[Task, JSON]], int]:
    """Take tasks and their definitions as L{page_of_rows} does."""
    taken, most = page_of_rows(rows, limit)
    return [(task_of(row), json.loads(row["definition"])) for row in taken], most
