"""Tasks that put themselves into the index when they are completed (contracts of the queue, 5).

They do so in the transaction that completes them: a process that dies leaves none behind that is completed and in no
index.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from tcworker.embedded import dates, index_store
from tcworker.embedded.index_store import Indexed
from tcworker.embedded.outbox import Message
from tcworker.embedded.queue.store import Store
from tcworker.interfaces import JSON

PATH = r"(?=.{1,255}$)([a-zA-Z0-9_!~*'()%-]+\.)*[a-zA-Z0-9_!~*'()%-]+"

HIGHEST = 1 << 53
"""A rank must be a number that is the same in every language."""

_ROUTE = "index."


def index_completed(connection: sqlite3.Connection, message: Message) -> None:
    """A part of L{tcworker.embedded.outbox.Outbox}: put a task that is completed where it wants to be."""
    if paths := _paths_of(message):
        _put_task(connection, message.payload["status"]["taskId"], paths)


def _paths_of(message: Message) -> Sequence[str]:
    """Give the paths at which the task of a message wants to be; none unless it is completed."""
    if (message.service, message.exchange) != ("queue", "task-completed"):
        return []
    paths = [route.removeprefix(_ROUTE) for route in message.routes if route.startswith(_ROUTE)]
    return [path for path in paths if re.fullmatch(PATH, path)]


def _put_task(connection: sqlite3.Connection, task_id: str, paths: Sequence[str]) -> None:
    """Put a task of the queue at these paths, as its definition says."""
    said = _read(Store(connection).definition(task_id))
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
