"""The memory of the machine that may go into unpacking, and who has how much of it."""

from __future__ import annotations

import os
from collections import deque

from twisted.internet.defer import Deferred

_HEAVY, _MIDDLE, _LIGHT = 768, 384, 160
"""Megabytes. Light: a window of zstd of 128 MB, and the program."""

_NEEDS = {"7z": _HEAVY, "zip": _HEAVY, "lz": _MIDDLE, "xz": _MIDDLE}

_RESERVE = _HEAVY
"""Megabytes that no single run gets, so that one whose servers are slow does not hold up all others."""


def needed(form: str) -> int:
    """Megabytes that unpacking a format takes at the most: where archives say how much, all that they may take."""
    return _NEEDS.get(form.removeprefix("tar."), _LIGHT)


def address_space(form: str) -> int:
    """Megabytes of address space for that, part of which is never used."""
    return max(_MIDDLE, needed(form))


def for_unpacking() -> int:
    """Megabytes for all that is unpacked at one time: a quarter of the machine's, but enough for any one format."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(_HEAVY, memory // 4)


class Budget:
    """Megabytes that are lent, first come, first served.

    @param size: how many there are; who asks for more gets all of them.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._waiting: deque[tuple[Deferred[None], int]] = deque()

    def take(self, size: int) -> Deferred[None]:
        """Fires when they are there; cancelled before, it has taken nothing."""
        waiting: Deferred[None] = Deferred(self._forget)
        self._waiting.append((waiting, min(size, self._size)))
        self._lend()
        return waiting

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self._free += min(size, self._size)
        self._lend()

    def _lend(self) -> None:
        while self._waiting and self._waiting[0][1] <= self._free:
            waiting, size = self._waiting.popleft()
            self._free -= size
            waiting.callback(None)

    def _forget(self, gone: Deferred[None]) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not gone)
        # It may be what others waited behind.
        self._lend()


class Share:
    """What one run may have of a budget: all but a reserve, if there is that much."""

    def __init__(self, whole: Budget, size: int) -> None:
        self._whole = whole
        self._own = Budget(max(_HEAVY, size - _RESERVE))

    async def take(self, size: int) -> None:
        """Returns when it is there; cancelled before, it has taken nothing."""
        await self._own.take(size)
        try:
            await self._whole.take(size)
        except BaseException:
            self._own.give(size)
            raise

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self._whole.give(size)
        self._own.give(size)
