"""What the three kinds of mounts have in common: each is found out, fetched, attached and let go of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.defer import Deferred

from tcworker.errors import Cause, TaskError
from tcworker.feature.base import PrefixedLog
from tcworker.feature.mounts.entry import Entry
from tcworker.feature.mounts.filling import Filler
from tcworker.interfaces import ICaches, IContent, IEngine, RoomMade
from tcworker.task.outcome import full_disk

T = TypeVar("T")

TRIES = 4
"""How often something is tried for which a disk has no room, while more of it becomes free each time."""


@dataclass(frozen=True)
class Means:
    """What the mounts of one run share.

    @ivar strict: whether mounted folders are read-only.
    """

    caches: ICaches
    filler: Filler
    log: PrefixedLog
    strict: bool


class Mount:
    """One entry of the payload at work.

    Of L{prepare} and L{fetch} it is made whole, L{release} is called in any case.

    @ivar entry: what it is.
    """

    def __init__(self, entry: Entry, means: Means) -> None:
        self.entry = entry
        self._means = means

    def say(self, line: str) -> None:
        """Tell the task's log about this mount."""
        self._means.log.info(f"{self.entry.name}: {line}")

    async def prepare(self) -> None:
        """Find out what is to be fetched, if anything. Raises a L{TaskError} that does not say for which mount."""
        raise NotImplementedError

    async def fetch(self) -> None:
        """Have it on this machine, ready to be attached. Raises a L{TaskError} as above."""
        raise NotImplementedError

    def attach(self, engine: IEngine) -> Deferred[None]:
        """Let the sandbox have it. Fails with a L{TaskError} as above."""
        raise NotImplementedError

    async def release(self) -> None:
        """The run has no use for it any more; repeatable."""
        raise NotImplementedError

    async def resolve(self) -> IContent:
        """Find out what its content is now. At each use: it is here that the queue says whether a task may read it."""
        assert self.entry.content is not None
        return await self._means.filler.contents.resolve(self.entry.content, self.say)


async def with_room(caches: ICaches, work: Callable[[], Awaitable[T]]) -> T:
    """Do some work, and again if a disk was full and there is more room now. Raises what the work raises."""
    for _ in range(TRIES - 1):
        try:
            return await work()
        except Exception as error:
            if not _had_no_room(error) or await caches.make_room() is RoomMade.NONE:
                raise
    return await work()


def _had_no_room(error: Exception) -> bool:
    """Whether a disk was full, be it that of the worker's state."""
    return full_disk(error) is not None or (isinstance(error, TaskError) and error.cause is Cause.NO_DISK)
