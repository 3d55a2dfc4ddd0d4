"""Which of the disks that tasks and caches are on have too little room. For threads, as L{tcworker.watch.disks} is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tcworker.config import Config
from tcworker.watch.disks import MEGABYTE, Disk, Need, needs_of

PRESSED = 10 * 1024 * MEGABYTE
"""What is made free at the most of a disk that was full while somebody wrote to it, if no more is required anyway."""

TENTH = 10
"""A part of a disk: so much is enough after it was full, and on one that has caches only."""


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

    def short(self, pressed: bool) -> Sequence[Short]:
        """Look at all of them, and give what has too little, each disk once.

        @param pressed: whether one was full while somebody wrote to it, so that what is usual was not enough.
        """
        worst: dict[int, Short] = {}
        for found in self._found(pressed):
            if found.device not in worst or found.bytes > worst[found.device].bytes:
                worst[found.device] = found
        return list(worst.values())

    def _found(self, pressed: bool) -> Iterator[Short]:
        for path, needed, disk in self._looks():
            needed = max(needed, min(PRESSED, disk.size // TENTH) if pressed else 0)
            if needed and (text := disk.lack(path, needed)):
                yield Short(disk.device, max(0, needed - disk.free), text)

    def _looks(self) -> Iterator[tuple[str, int, Disk]]:
        for need in self.needs:
            if (disk := _look(need.path)) is not None:
                yield need.path, need.free, disk
        for home in self.homes:
            if (disk := _look(home)) is not None:
                yield home, min(max(need.free for need in self.needs), disk.size // TENTH), disk


def _look(path: str) -> Disk | None:
    try:
        return Disk.of(path)
    except OSError:
        # Nothing that is thrown away brings it back.
        return None
