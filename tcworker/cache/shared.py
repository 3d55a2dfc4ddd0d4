"""What many tasks read and none changes: made once, for all who ask for it, and kept by what it is made of."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tcworker.cache.disposal import Disposal
from tcworker.cache.held import HeldCache
from tcworker.cache.homes import Home, new_folder
from tcworker.cache.making import Making
from tcworker.cache.rows import NO_FOLDER, SHARED, Row
from tcworker.cache.sizes import Sizes
from tcworker.cache.stock import Stock
from tcworker.cache.unwritten import or_log
from tcworker.client.server_time import ServerTime
from tcworker.interfaces import IHeldCache, Make, Say
from tcworker.waiting import Loose

_Key: TypeAlias = tuple[str, str]

_log = Logger()


class SharedCaches:
    """Those of all platforms, and what was downloaded.

    @param time: of Taskcluster.
    """

    def __init__(self, stock: Stock, disposal: Disposal, sizes: Sizes, time: ServerTime, loose: Loose) -> None:
        self._stock = stock
        self._disposal = disposal
        self._sizes = sizes
        self._time = time
        self._loose = loose
        self._makings: dict[_Key, Making] = {}

    def get(self, home: Home, key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """See L{tcworker.interfaces.ICaches.shared}."""
        return Deferred.fromCoroutine(self._get(home, key, make, say))

    async def _get(self, home: Home, key: str, make: Make, say: Say) -> IHeldCache:
        while (id := self._good(home, key)) is not None:
            held = self._hold(id, fresh=False)
            if await self._is_there(held):
                return held
            # Whoever got it would fail, and the next one with it.
            await held.drop(NO_FOLDER)
        # Nothing waits from here on until somebody makes it, so that there are never two makings.
        making = self._makings.get((home.name, key))
        if making is not None:
            return await making.join(make, say)
        return await self._begin(home, key, make, say)

    def _good(self, home: Home, key: str) -> int | None:
        kept = self._stock.named(SHARED, home.name, key)
        return next((each.row.id for each in kept if not each.row.purged), None)

    async def _is_there(self, held: IHeldCache) -> bool:
        try:
            return await held.folder.is_there()
        except BaseException:
            self._loose.run(held.give_back(), f"giving back {held.folder.name}")
            raise

    def _begin(self, home: Home, key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        make_one, give = partial(self._make, home, key), partial(self._hold, fresh=True)
        making = Making(make_one, give, partial(self._forget, (home.name, key)))
        self._makings[home.name, key] = making
        made = making.join(make, say)
        self._loose.run(making.start(), f"making {key}")
        return made

    def _forget(self, key: _Key) -> None:
        del self._makings[key]

    async def _make(self, home: Home, key: str, make: Make, say: Say) -> int:
        began, now = self._time.steady(), self._time.seconds()
        folder = await new_folder(home, key, self._loose)
        row = Row(0, SHARED, home.name, key, now, now)
        try:
            facts = await make(folder, say)
            seconds = self._time.steady() - began
            row = replace(row, details=dict(folder.details), seconds=seconds, facts=facts)
            # Held until it is remembered: somebody might be looking for something to throw away.
            id, written = self._stock.add(replace(row, readers=1), folder)
        except BaseException:
            self._disposal.remove(folder)
            raise
        return await self._keep(id, written)

    async def _keep(self, id: int, written: Deferred[None]) -> int:
        try:
            await written
        except BaseException:
            # Its folder with it, which is the stock's from the moment that it was added.
            what = self._stock[id].row.words
            self._loose.run(self._disposal.let_go([id]), f"removing {what}, which could not be kept")
            raise
        self._stock.note(id, readers=0)
        self._sizes.measure(id)
        return id

    def _hold(self, id: int, fresh: bool) -> IHeldCache:
        kept = self._stock[id]
        self._stock.note(id, readers=kept.row.readers + 1, used=self._time.seconds())
        give_back, drop = partial(self._give_back, id), partial(self._drop, id)
        return HeldCache(kept.folder, fresh, kept.row.facts, give_back, drop, self._loose)

    async def _give_back(self, id: int) -> None:
        readers = self._stock[id].row.readers - 1
        row = self._stock.note(id, readers=readers, used=self._time.seconds())
        if row.idle and row.purged:
            await self._disposal.let_go([id])
        elif row.idle or row.purged:
            # While others read it, nobody needs to know when it was used; but that nobody may get it again.
            await or_log(self._stock.change(id), f"when {row.words} was used last, or that it is to go")

    async def _drop(self, id: int, why: str) -> None:
        row = self._stock.note(id, purged=True)
        _log.info("{what} is thrown away: {why}", what=row.words, why=why)
        await self._give_back(id)
