"""What the three kinds of mounts have in common: each is found out, fetched, attached and let go of."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred

from tcworker.feature.base import PrefixedLog
from tcworker.feature.mounts.entry import Entry
from tcworker.feature.mounts.filling import Filler
from tcworker.interfaces import ICaches, IContent, IEngine


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

    async def resolve(self, pinned: bool = True) -> IContent:
        """Find out what its content is now. At each use: it is here that the queue says whether a task may read it.

        @param pinned: as of L{tcworker.interfaces.IContents.resolve}.
        """
        assert self.entry.content is not None
        return await self._means.filler.contents.resolve(self.entry.content, self.say, pinned)
