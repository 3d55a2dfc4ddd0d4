"""Task groups at a glance, as the page is told of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tcworker.embedded import dates
from tcworker.embedded.faults import not_found
from tcworker.embedded.queue.overview_store import GroupRow, OverviewStore, TaskRow
from tcworker.interfaces import JSON

STATES = ("unscheduled", "pending", "running", "completed", "failed", "exception")


def list_groups(connection: sqlite3.Connection, before: int, most: int) -> Sequence[tuple[str, JSON]]:
    """Give groups, the newest first, those older than a place only: each with its place."""
    store = OverviewStore(connection)
    return [(str(group.place), _describe(store, group)) for group in store.groups(before, most)]


def find_group(connection: sqlite3.Connection, group_id: str) -> JSON:
    """Give one group as L{list_groups} does. Raises L{ApiError} when there is none."""
    store = OverviewStore(connection)
    group = store.group(group_id)
    if group is None:
        raise not_found(f"There is no task group {group_id}.")
    return _describe(store, group)


def list_tasks(
    connection: sqlite3.Connection, group_id: str, state: str | None, after: int, most: int
) -> Sequence[tuple[str, JSON]]:
    """Give tasks of a group, in one state only unless that is C{None}, and after a place only: each with its place."""
    tasks = OverviewStore(connection).tasks(group_id, state, after, most)
    return [(str(task.place), _task(task)) for task in tasks]


def _describe(store: OverviewStore, group: GroupRow) -> JSON:
    states = store.states(group.group_id)
    return {
        "taskGroupId": group.group_id,
        "schedulerId": group.scheduler_id,
        "expires": dates.write(group.expires),
        "sealed": group.sealed,
        "size": sum(states.values()),
        "states": {state: states[state] for state in STATES if state in states},
        **_begun(store.tasks(group.group_id, None, 0, 1)),
    }


def _begun(first: Sequence[TaskRow]) -> JSON:
    """What a group's first task says of it: tasks that are gone leave groups of none behind."""
    return {"name": first[0].name, "created": first[0].created} if first else {}


def _task(task: TaskRow) -> JSON:
    moments = {"started": task.started, "resolved": task.resolved}
    return {
        "taskId": task.task_id,
        "taskQueueId": task.task_queue_id,
        "name": task.name,
        "created": task.created,
        "state": task.state,
        "runs": task.runs,
        **{key: dates.write(value) for key, value in moments.items() if value is not None},
        **({"reason": task.reason} if task.reason else {}),
    }
