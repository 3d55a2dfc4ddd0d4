"""Tasks that put themselves into the index when they are completed (contracts of the queue, 5)."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence

from tcworker.embedded import dates, index_store
from tcworker.embedded.index_store import Indexed
from tcworker.embedded.outbox import Message
from tcworker.interfaces import JSON

PATH = r"(?=.{1,255}$)([a-zA-Z0-9_!~*'()%-]+\.)*[a-zA-Z0-9_!~*'()%-]+"

HIGHEST = 1 << 53
"""A rank must be a number that is the same in every language."""

_ROUTE = "index."


def paths_of(message: Message) -> Sequence[str]:
    """Give the paths at which the task of a message wants to be; none unless it is completed."""
    if (message.service, message.exchange) != ("queue", "task-completed"):
        return []
    paths = [route.removeprefix(_ROUTE) for route in message.routes if route.startswith(_ROUTE)]
    return [path for path in paths if re.fullmatch(PATH, path)]


def put_task(connection: sqlite3.Connection, task_id: str, paths: Sequence[str]) -> None:
    """A job that puts a task of the queue at these paths, as its definition says."""
    row = connection.execute("SELECT definition FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    said = _read(json.loads(row["definition"])) if row else None
    if said is not None:
        for path in paths:
            index_store.put(connection, Indexed(path, task_id, *said))


def _read(definition: JSON) -> tuple[float, JSON, int] | None:
    """Give rank, data and end that a task asks for; C{None} if it asks for what cannot be."""
    wanted = definition["extra"].get("index", {})
    if not isinstance(wanted, dict):
        wanted = {}
    rank, data = wanted.get("rank", 0), wanted.get("data", {})
    if type(rank) not in (int, float) or abs(rank) > HIGHEST or not isinstance(data, dict):
        return None
    try:
        return rank, data, dates.read_leniently(wanted.get("expires", definition["expires"]))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None
