"""Which of the disks that tasks and caches are on have too little room. For threads, as L{tcworker.watch.disks} is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import TypeAlias

from tcworker.config import Config
from tcworker.watch.disks import MEGABYTE, Disk, Need, needs_of

PRESSED = 10 * 1024 * MEGABYTE
"""What is made free at the most of a disk that was full while somebody wrote to it, if no more is required anyway."""

TENTH = 10
"""A part of a disk: so much is enough after it was full, and on one that has caches only."""


class Pressure(IntEnum):
    """How much room is wanted; what wants more has the larger number.

    @cvar USUAL: as much as is required at any time.
    @cvar FULL: somebody could not write for want of space, and will not try again.
    @cvar MORE: somebody will try again, whom what is free now would not be enough for.
    """

    USUAL = 0
    FULL = 1
    MORE = 2


@dataclass(frozen=True)
class Short:
    """A disk that has too little room.

    @ivar device: its number.
    @ivar bytes: that lack; none if it is files of which there are too many.
    @ivar text: the same for people.
    """

    device: int
    bytes: int
    text: str


@dataclass(frozen=True)
class Places:
    """The folders whose disks are looked after.

    @ivar needs: what must be free for tasks.
    @ivar homes: folders of what is kept. On a disk of their own as much is to be free as for tasks, but no more than a
        tenth of it: a small one could keep nothing otherwise.
    """

    needs: Sequence[Need]
    homes: Sequence[str]

    @classmethod
    def of_config(cls, config: Config) -> Places:
        """Those of a worker with these settings."""
        return cls(needs_of(config), [config.caches_dir, config.downloads_dir])

    def lack(self) -> str:
        """Look at each once, and say what the first lacks for a task; nothing if all have enough.

        Of the disks of tasks it also counts that nobody knows how much is free.
        """
        needs = (need.lack() for need in self.needs)
        homes = (short.text for short in _found(self._look_at_homes(), Pressure.USUAL))
        return next(filter(None, chain(needs, homes)), "")

    def short(self, pressure: Pressure) -> Sequence[Short]:
        """Look at all of them, and give what has too little, each disk once."""
        return _worst(_found(chain(self._look_at_needs(), self._look_at_homes()), pressure))

    def more(self) -> Sequence[Short]:
        """Give what else is to be made free on each disk of what is kept, however much is free there."""
        disks = ((home, _look(home)) for home in self.homes)
        return _worst(
            Short(disk.device, _enough(disk), f"what was free on the disk of {home} was not enough")
            for home, disk in disks
            if disk is not None
        )

    def _look_at_needs(self) -> Iterator[_Seen]:
        for need in self.needs:
            if (disk := _look(need.path)) is not None:
                yield need.path, need.free, disk

    def _look_at_homes(self) -> Iterator[_Seen]:
        for home in self.homes:
            if (disk := _look(home)) is not None:
                yield home, min(max(need.free for need in self.needs), disk.size // TENTH), disk


_Seen: TypeAlias = tuple[str, int, Disk]
"""A folder, the bytes that must be free on its disk, and what was found there."""


def _found(looks: Iterable[_Seen], pressure: Pressure) -> Iterator[Short]:
    for path, needed, disk in looks:
        if pressure > Pressure.USUAL:
            needed = max(needed, _enough(disk))
        # Who requires nothing has chosen to let the disk run full.
        if needed and (text := disk.lack(path, needed)):
            yield Short(disk.device, max(0, needed - disk.free), text)


def is_on_disk_of(path: str, folders: Iterable[str]) -> bool:
    """Whether something may be on the disk of one of some folders; true if nobody knows."""
    while (its_own := _look(path)) is None:
        if path in ("", "/"):
            return True
        path = os.path.dirname(path)
    # Some file systems show parts of one disk as disks of their own, which have the same room.
    others = filter(None, map(_look, folders))
    return any(its_own.device == other.device or its_own.free == other.free for other in others)


def _worst(shorts: Iterable[Short]) -> Sequence[Short]:
    """Give each disk once."""
    worst: dict[int, Short] = {}
    for found in shorts:
        if found.device not in worst or found.bytes > worst[found.device].bytes:
            worst[found.device] = found
    return list(worst.values())


def _enough(disk: Disk) -> int:
    """Give the bytes that are to be free on one that was full."""
    return min(PRESSED, disk.size // TENTH)


def _look(path: str) -> Disk | None:
    try:
        return Disk.of(path)
    except OSError:
        # Nothing that is thrown away brings it back.
        return None
