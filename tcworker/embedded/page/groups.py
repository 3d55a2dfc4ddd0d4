"""Task groups at a glance: what the page shows of thousands of tasks, and no call of the queue tells.

Reads the queue's tables. Groups and tasks are in the order in which they were made, which their row ids have.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tcworker.embedded import dates
from tcworker.embedded.faults import not_found
from tcworker.interfaces import JSON

STATES = ("unscheduled", "pending", "running", "completed", "failed", "exception")

SCHEMA = """
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (group_id, state);
"""
"""Of an index on the queue's tasks, with which states are counted without reading a single task."""

_GROUP = "rowid AS place, group_id, scheduler_id, expires, sealed"

_TASK = (
    "rowid AS place, task_id, task_queue_id, json_extract(definition, '$.metadata.name') AS name,"
    " json_extract(definition, '$.created') AS created,"
    " state, json_array_length(runs) AS runs,"
    " json_extract(runs, '$[#-1].started') AS started, json_extract(runs, '$[#-1].resolved') AS resolved,"
    " json_extract(runs, '$[#-1].reason_resolved') AS reason"
)


def list_groups(connection: sqlite3.Connection, before: int, most: int) -> Sequence[tuple[str, JSON]]:
    """Give groups, the newest first, those older than a place only: each with its place."""
    query = f"SELECT {_GROUP} FROM groups WHERE rowid < ? ORDER BY rowid DESC LIMIT ?"
    rows = connection.execute(query, (before, most)).fetchall()
    return [(str(row["place"]), _describe(connection, row)) for row in rows]


def find_group(connection: sqlite3.Connection, group_id: str) -> JSON:
    """Give one group as L{list_groups} does. Raises L{ApiError} when there is none."""
    row = connection.execute(f"SELECT {_GROUP} FROM groups WHERE group_id = ?", (group_id,)).fetchone()
    if row is None:
        raise not_found(f"There is no task group {group_id}.")
    return _describe(connection, row)


def list_tasks(
    connection: sqlite3.Connection, group_id: str, state: str | None, after: int, most: int
) -> Sequence[tuple[str, JSON]]:
    """Give tasks of a group, in one state only unless that is C{None}, and after a place only: each with its place."""
    chosen, values = ("", ()) if state is None else (" AND state = ?", (state,))
    query = f"SELECT {_TASK} FROM tasks WHERE group_id = ?{chosen} AND rowid > ? ORDER BY rowid LIMIT ?"
    rows = connection.execute(query, (group_id, *values, after, most))
    return [(str(row["place"]), _task(row)) for row in rows]


def _describe(connection: sqlite3.Connection, group: sqlite3.Row) -> JSON:
    group_id = group["group_id"]
    query = "SELECT state, count(*) FROM tasks WHERE group_id = ? GROUP BY state"
    states = dict(connection.execute(query, (group_id,)).fetchall())
    first = connection.execute(f"SELECT {_TASK} FROM tasks WHERE group_id = ? ORDER BY rowid LIMIT 1", (group_id,))
    return {
        "taskGroupId": group_id,
        "schedulerId": group["scheduler_id"],
        "expires": dates.write(group["expires"]),
        "sealed": group["sealed"] is not None,
        "size": sum(states.values()),
        "states": {state: states[state] for state in STATES if state in states},
        **_begun(first.fetchone()),
    }


def _begun(first: sqlite3.Row | None) -> JSON:
    """What a group's first task says of it: tasks that are gone leave groups of none behind."""
    return {} if first is None else {"name": first["name"], "created": first["created"]}


def _task(row: sqlite3.Row) -> JSON:
    moments = {key: dates.write(row[key]) for key in ("started", "resolved") if row[key] is not None}
    return {
        "taskId": row["task_id"],
        "taskQueueId": row["task_queue_id"],
        "name": row["name"],
        "created": row["created"],
        "state": row["state"],
        "runs": row["runs"],
        **moments,
        **({"reason": row["reason"]} if row["reason"] else {}),
    }
