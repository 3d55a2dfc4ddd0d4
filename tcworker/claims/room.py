"""Whether another task may be claimed: there is disk and memory enough, and nothing else holds the worker back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.cache.places import Places
from tcworker.config import Config
from tcworker.interfaces import RoomMade
from tcworker.waiting import Executor
from tcworker.watch.disks import MEGABYTE
from tcworker.watch.memory import Memory, read_memory

OF_WHAT_ENDS_TASKS = 2
"""How much more memory must be left than when a task is ended for want of it: a new one needs some, too."""

AGAIN = 3600.0
"""Seconds between two lines of the log about one shortage."""

NOTHING_LEFT = "no cache is left that could make way"
STILL_AT_IT = "caches are being thrown away, which takes its time"

_log = Logger()

Hold: TypeAlias = Callable[[], str]
"""Says, for people, why nothing is to be claimed for now; nothing if it may."""


class RoomMaker(Protocol):
    """Lets what is kept for tasks make way, as L{tcworker.cache.collector_service.CollectorService} has it."""

    @property
    def over(self) -> bool:
        """Whether more is kept than may be."""

    def make_room(self) -> Deferred[RoomMade]:
        """Throw away until there is room; never fails, and takes a minute at the most."""


@dataclass(frozen=True)
class Shortage:
    """Why no other task may be claimed.

    @ivar seconds: for how long the machine has been short of something; 0 for what will pass by itself.
    """

    text: str
    seconds: float


@dataclass
class _Trouble:
    """What is in the way.

    @ivar text: for people.
    @ivar passing: whether that will pass by itself.
    @ivar since: when it began, C{said} when the log last said so.
    """

    text: str
    passing: bool
    since: float
    said: float


class Room:
    """Looks after the disks of tasks, state and caches and after the memory, by the system's own figures.

    @param holds: what else may speak against another task.
    @param room_maker: lets what is kept make way for tasks.
    """

    def __init__(
        self,
        clock: IReactorTime,
        config: Config,
        threads: Executor,
        holds: Sequence[Hold] = (),
        room_maker: RoomMaker | None = None,
    ) -> None:
        self._clock = clock
        self._threads = threads
        self._holds = holds
        self._room_maker = room_maker
        self._places = Places.of_config(config)
        self._memory = MemoryNeed.of_config(config)
        self._trouble: _Trouble | None = None

    @property
    def lack(self) -> str:
        """What the last look found, in words; nothing if another task may be claimed."""
        return self._trouble.text if self._trouble is not None else ""

    async def shortage(self) -> Shortage | None:
        """Look; what is found is said in the log when it is new, and rarely after that."""
        if text := next(filter(None, (hold() for hold in self._holds)), ""):
            # Nobody looks at the disks then: throwing caches away would help no task.
            return self._short(text, passing=True)
        lack, made = await self._lack_after_making_room()
        if lack.disk and made is not None:
            # As long as room is being made, the shortage is none that lasts: no worker ends for it.
            passing = made is RoomMade.NOT_YET
            return self._short(f"{lack.disk}; {STILL_AT_IT if passing else NOTHING_LEFT}", passing=passing)
        if text := lack.disk or lack.memory:
            return self._short(text, passing=False)
        if self._trouble is not None:
            _log.info("nothing keeps this worker from claiming any more")
        self._trouble = None
        return None

    async def _lack_after_making_room(self) -> tuple[_Look, RoomMade | None]:
        """Give what lacks, and what came of making room if that was tried for it."""
        if self._room_maker is not None and self._room_maker.over:
            # Each minute would be too late: what is claimed now may add as much again.
            await self._room_maker.make_room()
        lack = await self._look()
        if self._room_maker is None or not lack.disk:
            return lack, None
        made = await self._room_maker.make_room()
        # Whatever came of it: of what could not go as a whole, most may be gone.
        return await self._look(), made

    def _look(self) -> Deferred[_Look]:
        # All at once: this comes before each claim, and a thread and back takes longer than a look.
        return self._threads.run(_Look.now, self._places, self._memory)

    def _short(self, text: str, *, passing: bool) -> Shortage:
        now = self._clock.seconds()
        # One that lasts counts from when it began itself, not from what passed before it.
        if self._trouble is None or self._trouble.passing != passing:
            self._trouble = _Trouble(text, passing, since=now, said=-AGAIN)
        if now - self._trouble.said >= AGAIN:
            _log.warn("claiming nothing: {text}", text=text)
            self._trouble.said = now
        self._trouble.text = text
        return Shortage(text, 0.0 if passing else now - self._trouble.since)


@dataclass(frozen=True)
class MemoryNeed:
    """When there is memory enough for another task.

    @ivar percent: of the machine's memory in use that is too much, if fewer bytes than C{available} are left as well.
    """

    percent: float
    available: int

    @classmethod
    def of_config(cls, config: Config) -> MemoryNeed:
        """What a worker with these settings must leave; one that does not watch the machine needs none."""
        watches = config.enable_resource_monitor
        return cls(config.max_memory_usage_percent, config.min_available_memory_bytes if watches else 0)

    def lack(self, memory: Memory | None) -> str:
        """What lacks, in words; nothing if there is enough, or nobody knows."""
        if memory is None:
            return ""
        least = min(self.available, int(memory.total * (1 - self.percent / 100)))
        if memory.available >= OF_WHAT_ENDS_TASKS * least:
            return ""
        return (
            f"the machine has {memory.available // MEGABYTE} MiB of memory left, and with less than"
            f" {least // MEGABYTE} a task would be ended; {OF_WHAT_ENDS_TASKS * least // MEGABYTE} are needed for"
            " another (maxMemoryUsagePercent, minAvailableMemoryBytes)"
        )


@dataclass(frozen=True)
class _Look:
    """What one look found lacking, in words; nothing of what there is enough of."""

    disk: str
    memory: str

    @classmethod
    def now(cls, places: Places, memory: MemoryNeed) -> _Look:
        """Look at both."""
        return cls(places.lack(), memory.lack(read_memory()))
