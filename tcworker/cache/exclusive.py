"""Caches that tasks write to: one run at a time has one, and gives it back in good state or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.logger import Logger

from tcworker.cache.disposal import Disposal
from tcworker.cache.held import HeldCache
from tcworker.cache.homes import Home, new_folder
from tcworker.cache.rows import EXCLUSIVE, NO_FOLDER, Row
from tcworker.cache.sizes import Sizes
from tcworker.cache.stock import Kept, Stock
from tcworker.cache.unwritten import or_log
from tcworker.client.server_time import ServerTime
from tcworker.interfaces import ICacheFolder, IHeldCache
from tcworker.waiting import Loose

_NOT_REMEMBERED = "that {what} was given back; the next start throws it away"

_log = Logger()


def most_recent(rows: Sequence[Row]) -> Row | None:
    """Choose the one to use of those of one name: the last used that nobody has."""
    # Of those to be purged none is among them: they go as soon as nobody has them.
    return max((row for row in rows if row.idle), key=lambda row: (row.used, row.id), default=None)


def surplus(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """Those of one name that are too many: of the ones that nobody has, all but so many that were used last."""
    idle = sorted((row for row in rows if row.idle), key=lambda row: (row.used, row.id), reverse=True)
    return idle[most:]


class ExclusiveCaches:
    """Those of all platforms.

    @param most: how many of one name are kept that nobody has.
    @param time: of Taskcluster.
    """

    def __init__(
        self, stock: Stock, disposal: Disposal, sizes: Sizes, most: int, time: ServerTime, loose: Loose
    ) -> None:
        self._stock = stock
        self._disposal = disposal
        self._sizes = sizes
        self._most = most
        self._time = time
        self._loose = loose

    async def take(self, run: str, home: Home, name: str) -> IHeldCache:
        """See L{tcworker.interfaces.ICaches.exclusive}."""
        while (row := most_recent([kept.row for kept in self._named(home.name, name)])) is not None:
            if (held := await self._take(run, row)) is not None:
                return held
        return await self._make(run, home, name)

    async def give_back(self, id: int, folder: ICacheFolder, fresh: bool) -> None:
        """See L{IHeldCache.give_back}."""
        kept = self._stock.get(id)
        if kept is None:
            return
        row, now = kept.row, self._time.seconds()
        if row.purged:
            await self._disposal.let_go([id])
            return
        seconds = max(0.0, now - row.created) if fresh else row.seconds
        written = self._stock.change(id, run=None, used=now, seconds=seconds, details=dict(folder.details))
        # Nobody gets it after a restart; until then it is as good as any.
        await or_log(written, _NOT_REMEMBERED.format(what=row.words))
        too_many = surplus([each.row for each in self._named(row.platform, row.name)], self._most)
        await self._disposal.let_go([each.id for each in too_many])
        self._sizes.measure(id)

    async def drop(self, id: int, why: str) -> None:
        """See L{IHeldCache.drop}."""
        if (kept := self._stock.get(id)) is not None:
            _log.info("{what} is thrown away: {why}", what=kept.row.words, why=why)
            await self._disposal.let_go([id])

    async def _take(self, run: str, row: Row) -> IHeldCache | None:
        folder = self._stock[row.id].folder
        written, looking = self._stock.change(row.id, run=run, used=self._time.seconds()), folder.is_there()
        try:
            await written
            is_there = await looking
        except BaseException:
            # Whether the folder is there matters to nobody any more; that this failed would be nobody's, too.
            looking.addErrback(lambda _: None)
            self._loose.run(self.give_back(row.id, folder, False), f"giving back {row.words}")
            raise
        if is_there:
            return self._held(row.id, folder, fresh=False)
        # Whoever got it would fail, and the next one with it.
        await self.drop(row.id, NO_FOLDER)
        return None

    async def _make(self, run: str, home: Home, name: str) -> IHeldCache:
        # Before it is made: whoever asks for a purge after that does not mean its content.
        now = self._time.seconds()
        folder = await new_folder(home, name, self._loose)
        row = Row(0, EXCLUSIVE, home.name, name, now, now, dict(folder.details), run=run)
        id, written = self._stock.add(row, folder)
        try:
            await written
        except BaseException:
            self._loose.run(self._disposal.let_go([id]), f"removing {row.words}, which could not be kept")
            raise
        return self._held(id, folder, fresh=True)

    def _held(self, id: int, folder: ICacheFolder, fresh: bool) -> IHeldCache:
        give_back, drop = partial(self.give_back, id, folder, fresh), partial(self.drop, id)
        return HeldCache(folder, fresh, None, give_back, drop, self._loose)

    def _named(self, platform: str, name: str) -> Sequence[Kept]:
        return self._stock.named(EXCLUSIVE, platform, name)
