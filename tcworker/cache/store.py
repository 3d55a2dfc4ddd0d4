"""All caches of a worker: who has which, what is known of each, and what is to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.logger import Logger

from tcworker.cache.disposal import Disposal
from tcworker.cache.exclusive import ExclusiveCaches
from tcworker.cache.homes import Home
from tcworker.cache.inventory import doubted, take_stock
from tcworker.cache.rows import Row, Thrown, megabytes
from tcworker.cache.run_caches import RunCaches, Upkeep
from tcworker.cache.shared import SharedCaches
from tcworker.cache.sizes import Sizes
from tcworker.cache.stock import Stock
from tcworker.cache.table import CacheTable
from tcworker.client.server_time import ServerTime
from tcworker.interfaces import IPlatform, RoomMade
from tcworker.waiting import Loose

PAGE = 1000
"""Caches that are looked at in one go."""

_NO_UPKEEP = Upkeep(lambda: succeed(None), lambda _: succeed(RoomMade.NONE))
"""Nothing is asked for, and everything stays."""

_log = Logger()


class CacheStore:
    """What is kept for tasks, in memory and in the worker's state.

    @param downloads: where the folders are that are of no platform.
    @param most: how many exclusive caches of one name are kept that nobody has.
    @param time: of Taskcluster, by which caches are dated.
    """

    def __init__(self, table: CacheTable, downloads: Home, most: int, time: ServerTime) -> None:
        self._table = table
        self._downloads = downloads
        # Those of the platforms come when these are prepared.
        self._homes = [downloads]
        self._opened = False
        self._stock = Stock(table)
        self._loose = Loose(_log)
        self._disposal = Disposal(self._stock)
        sizes = self._sizes = Sizes(self._stock, self._loose)
        self._exclusive = ExclusiveCaches(self._stock, self._disposal, sizes, most, time, self._loose)
        self._shared = SharedCaches(self._stock, self._disposal, sizes, time, self._loose)

    @property
    def total(self) -> int:
        """Bytes of all that is kept, in use or not, as last measured."""
        return self._stock.total

    def open(self, homes: Sequence[Home]) -> Deferred[None]:
        """Find what an earlier worker kept, but for what it had in use; that, and what nobody knows, goes meanwhile.

        @param homes: of all platforms, each of which is prepared. Fails with L{StateUnusable}.
        """
        self._homes = [self._downloads, *homes]
        return Deferred.fromCoroutine(self._open())

    def close(self) -> Deferred[None]:
        """Make, measure and remove nothing any more; fires when nothing is being done."""
        return Deferred.fromCoroutine(self._close())

    def for_run(self, run: str, platform: IPlatform, upkeep: Upkeep) -> RunCaches:
        """Give those that a run may have.

        @param run: its name.
        """
        return self.of_home(run, Home.of_platform(platform), upkeep)

    def of_home(self, run: str, home: Home, upkeep: Upkeep = _NO_UPKEEP) -> RunCaches:
        """The same for a platform's folders alone, where need be without anybody who knows Taskcluster or the disks."""
        return RunCaches(run, self._exclusive, self._shared, home, self._downloads, upkeep)

    def rows(self) -> Deferred[Sequence[Row]]:
        """All there are, in the order in which they were made."""
        return succeed([kept.row for kept in self._stock.all()])

    def idle(self) -> Deferred[Sequence[Row]]:
        """Those that nobody uses now."""
        return succeed([kept.row for kept in self._stock.all() if kept.row.idle])

    def throw_away(self, rows: Sequence[Row]) -> Deferred[Thrown]:
        """Let go of those that still nobody uses; fires when their bytes are free."""
        # Somebody may have taken one while it was being chosen.
        return Deferred.fromCoroutine(self._disposal.throw_away([row.id for row in rows if self._is_idle(row.id)]))

    def settled(self) -> Deferred[None]:
        """Fire when nothing is being removed any more."""
        return self._disposal.settled()

    def sweep(self) -> Deferred[None]:
        """Remove what lies in the folders of caches and is known to nobody."""
        return Deferred.fromCoroutine(self._sweep())

    def purge(self, name: str, before: float = inf) -> Deferred[str]:
        """Throw away the exclusive caches of a name that were made before a time, those in use once they are not.

        Fires when no other run can get one, with words for the log; without any if there were none. Those that nobody
        uses are removed in the background. Fails with what keeps the worker's state from being written.
        """
        return Deferred.fromCoroutine(self._purge(lambda row: row.is_meant(name, before)))

    def clear(self) -> Deferred[str]:
        """Throw away all there are, in the same way."""
        return Deferred.fromCoroutine(self._purge(lambda row: True))

    async def _open(self) -> None:
        rows: Sequence[Row] = await self._table.rows()
        if await self._table.begin():
            rows = doubted(rows)
        for first in range(0, len(rows), PAGE):
            gone = await take_stock(rows[first : first + PAGE], self._homes, self._stock)
            # Though it may be none: others of the reactor have their turn meanwhile.
            await self._table.forget(gone)
        self._opened = True
        # A worker that ended soon after its last task had no time for that.
        for kept in self._stock.all():
            if not kept.row.size:
                self._sizes.measure(kept.row.id)
        # No claim waits for this: whoever wants room waits until all is settled.
        self._disposal.run(self._sweep(), "sweeping the folders of caches")

    async def _close(self) -> None:
        # First those who make and give back: they still let go of something.
        await self._loose.cancel()
        await self._disposal.end()
        # One that never knew what it has cannot say that all of it is well.
        if self._opened:
            await self._table.end()

    async def _sweep(self) -> None:
        for home in self._homes:
            try:
                await home.sweep()
            except CancelledError:
                raise
            except Exception:
                _log.failure("sweeping the folders of {home} failed", home=home.name)

    async def _purge(self, meant: Callable[[Row], bool]) -> str:
        rows = [kept.row for kept in self._stock.all() if meant(kept.row) and not kept.row.purged]
        in_use = [row for row in rows if not row.idle]
        # In the table, too: the mark must outlive a worker that dies before they are given back.
        marked = [self._stock.change(row.id, purged=True) for row in in_use]
        gone = await self._disposal.let_go([row.id for row in rows if row.idle])
        await gatherResults(marked, consumeErrors=True)
        return _words(gone, in_use)

    def _is_idle(self, id: int) -> bool:
        kept = self._stock.get(id)
        return kept is not None and kept.row.idle


def _words(gone: Sequence[Row], in_use: Sequence[Row]) -> str:
    removed = [f"{len(gone)} being removed ({megabytes(gone)})"] if gone else []
    end = "its task ends" if len(in_use) == 1 else "their tasks end"
    marked = [f"{len(in_use)} in use, will be gone when {end}"] if in_use else []
    return ", ".join(removed + marked)
