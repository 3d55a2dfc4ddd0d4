"""Throws away of what is kept until there is room, or nothing is left, and says what went and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tcworker.cache.collector import Lack, choose
from tcworker.cache.places import Places, Pressure, Short
from tcworker.cache.rows import Row, Thrown
from tcworker.waiting import Executor
from tcworker.watch.disks import MEGABYTE

MOST_LINES = 20
"""Of what went at one time, each of so many has a line in the log."""

PART = 1024
"""So many go at one time: the row of each is taken out before it is removed, while the reactor waits."""

SIXTEENTH = 16
"""Of what is kept on a disk that has too many files: nobody counts those of one thing."""

_log = Logger()


class Collectable(Protocol):
    """All that is kept, of L{tcworker.cache.store.CacheStore} what is used here."""

    @property
    def total(self) -> int:
        """Bytes of all of it, in use or not."""

    def idle(self) -> Deferred[Sequence[Row]]:
        """What nobody uses now."""

    def throw_away(self, rows: Sequence[Row], /) -> Deferred[Thrown]:
        """Let go of what still nobody uses; fires when its bytes are free."""

    def settled(self) -> Deferred[None]:
        """Fire when nothing is being removed any more."""


class Collecting:
    """One time of making room.

    @param most: bytes that may be kept, C{None} for any number.
    @param now: gives the seconds since 1970, as those of the rows.
    @ivar gone: how many went so far. Not their bytes: what was just given back has not been measured yet.
    """

    def __init__(
        self, stock: Collectable, threads: Executor, places: Places, most: int | None, now: Callable[[], float]
    ) -> None:
        self._stock = stock
        self._threads = threads
        self._places = places
        self._most = most
        self._now = now
        self._tried: set[int] = set()
        self._said = 0
        self.gone = 0

    async def run(self, pressure: Pressure) -> str:
        """Throw away until there is room; give in words what lacks when nothing is left to throw away."""
        await self._stock.settled()
        lacking = await self._look(pressure)
        if lacking is None and pressure is Pressure.MORE:
            # What did not find room has been removed by now, so that there seems to be enough.
            lacking = _Lacking(await self._threads.run(self._places.more), 0)
        while lacking is not None:
            rows = [row for row in await self._stock.idle() if row.id not in self._tried]
            chosen = await self._threads.run(_choose, rows, self._now(), lacking)
            if not chosen:
                return lacking.text
            await self._throw_away(chosen, lacking.text)
            lacking = await self._look(pressure)
        return ""

    async def _look(self, pressure: Pressure) -> _Lacking | None:
        short = await self._threads.run(self._places.short, pressure)
        over = 0 if self._most is None else max(0, self._stock.total - self._most)
        return _Lacking(short, over) if short or over else None

    async def _throw_away(self, chosen: Sequence[Row], why: str) -> None:
        # Each once: what does not go now must not keep the others from it.
        self._tried |= {row.id for row in chosen}
        _log.info("throwing away {count} of what is kept for tasks, because {why}", count=len(chosen), why=why)
        for first in range(0, len(chosen), PART):
            self._say(await self._stock.throw_away(chosen[first : first + PART]))

    def _say(self, thrown: Thrown) -> None:
        for row in thrown.gone:
            self._say_gone(row)
        for row, problem in thrown.failed:
            _log.error("{what} cannot be thrown away: {problem}", what=row.words, problem=problem)
        self.gone += len(thrown.gone)

    def _say_gone(self, row: Row) -> None:
        self._said += 1
        if self._said <= MOST_LINES:
            _log.info("thrown away: {what}", what=described(row, self._now()))
        elif self._said == MOST_LINES + 1:
            _log.info("and others, of which the log says no more")


def described(row: Row, now: float) -> str:
    """What something is, how large, for how long nobody has used it, and how long it took to make."""
    unused = timedelta(seconds=max(0, int(now - row.used)))
    megabytes = row.size / MEGABYTE
    return f"{row.words} ({megabytes:.1f} MiB, unused for {unused}, made in {row.seconds:.1f} s)"


@dataclass(frozen=True)
class _Lacking:
    """What lacks before more is thrown away.

    @ivar over: bytes by which more is kept than may be.
    """

    short: Sequence[Short]
    over: int

    @property
    def text(self) -> str:
        """For people."""
        over = f"{self.over / MEGABYTE:.1f} MiB more is kept for tasks than may be (cachesMaxMegabytes)"
        return "; ".join([*(each.text for each in self.short), *([over] if self.over else [])])


def _choose(rows: Sequence[Row], now: float, lacking: _Lacking) -> Sequence[Row]:
    """For threads: it looks where things lie, and orders all of them."""
    known = cache(device_of)

    def disk_of(row: Row) -> int | None:
        return None if row.path is None else known(os.path.dirname(row.path))

    def bytes_of(short: Short) -> int:
        return short.bytes or sum(row.size for row in rows if disk_of(row) in (short.device, None)) // SIXTEENTH + 1

    return choose(rows, now, Lack({each.device: bytes_of(each) for each in lacking.short}, lacking.over), disk_of)


def device_of(folder: str) -> int | None:
    """The number of the disk that a folder is on, C{None} if nobody knows."""
    try:
        return os.stat(folder).st_dev
    except OSError:
        return None
