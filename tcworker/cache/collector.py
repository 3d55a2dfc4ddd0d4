"""What is to be thrown away first when there is too little room: decides, and does nothing.

What is large and has lain unused for long goes before what took long to make: the weight of a thing is its age in
seconds, times its bytes, by the seconds that it took to make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

LEAST_SECONDS = 1.0
"""What took less to make counts as this, and so does what was used just now, or after now by a clock that was set."""


class Candidate(Protocol):
    """Something that may be thrown away: nobody uses it now.

    @ivar size: bytes on its disk.
    @ivar used: when somebody last used it, in seconds since 1970.
    @ivar seconds: how long it took to make.
    """

    @property
    def size(self) -> int: ...

    @property
    def used(self) -> float: ...

    @property
    def seconds(self) -> float: ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True)
class Lack:
    """How much is to go.

    @ivar by_disk: bytes that lack on disks, by their numbers.
    @ivar over: bytes by which all that is kept is more than it may be.
    """

    by_disk: Mapping[int, int]
    over: int = 0

    def __bool__(self) -> bool:
        return self.over > 0 or any(bytes > 0 for bytes in self.by_disk.values())


def weight(candidate: Candidate, now: float) -> float:
    """How much speaks for throwing something away, in bytes."""
    age = max(LEAST_SECONDS, now - candidate.used)
    return age * candidate.size / max(LEAST_SECONDS, candidate.seconds)


def choose(candidates: Sequence[C], now: float, lack: Lack, disk_of: Callable[[C], int | None]) -> list[C]:
    """Choose what is to go, the heaviest first, until that is enough or nothing is left that would help.

    @param now: seconds since 1970.
    @param disk_of: gives the number of the disk on which something lies, C{None} if nobody knows: then it may help.
    """
    return list(_chosen(sorted(candidates, key=lambda each: weight(each, now), reverse=True), lack, disk_of))


def _chosen(heaviest_first: Sequence[C], lack: Lack, disk_of: Callable[[C], int | None]) -> Iterator[C]:
    lacking, over = dict(lack.by_disk), lack.over
    for each in heaviest_first:
        # Nothing ends this early: what comes next may lie on the disk that still lacks something.
        disk = disk_of(each)
        helped = [number for number, bytes in lacking.items() if bytes > 0 and disk in (number, None)]
        if over > 0 or helped:
            over -= each.size
            lacking |= {number: lacking[number] - each.size for number in helped}
            yield each
