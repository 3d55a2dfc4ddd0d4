"""Work that may meet a full disk, and is done again when what nobody uses has made way."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred

from tcworker.errors import Cause, TaskError
from tcworker.interfaces import RoomMade
from tcworker.task.outcome import full_disk

T = TypeVar("T")

TRIES = 4
"""How often something is tried for which a disk has no room, while more of it becomes free each time."""

WAITS = 5
"""How often somebody waits for room that is being made, a minute each time, before it is tried all the same."""


async def with_room(make_room: Callable[[str | None], Deferred[RoomMade]], work: Callable[[], Awaitable[T]]) -> T:
    """Do some work, and again if a disk was full and there is more room now. Raises what the work raises.

    @param make_room: as L{tcworker.interfaces.ICaches.make_room}.
    """
    for _ in range(TRIES - 1):
        try:
            return await work()
        except Exception as error:
            if not _had_no_room(error) or await _room(partial(make_room, _path_of(error))) is RoomMade.NONE:
                raise
    return await work()


async def _room(make_room: Callable[[], Deferred[RoomMade]]) -> RoomMade:
    """Let room be made, for which there is time: to try again in vain may be dear."""
    for _ in range(WAITS - 1):
        if (made := await make_room()) is not RoomMade.NOT_YET:
            return made
    return await make_room()


def _path_of(error: Exception) -> str | None:
    """A path on the disk that was full."""
    full = full_disk(error)
    path = full[0] if full is not None else getattr(error, "evidence", {}).get("path")
    return path if isinstance(path, str) and os.path.isabs(path) else None


def _had_no_room(error: Exception) -> bool:
    """Whether a disk was full, be it that of the worker's state."""
    return full_disk(error) is not None or (isinstance(error, TaskError) and error.cause is Cause.NO_DISK)
