"""What of an earlier worker's caches is still there, and good."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from tcworker.cache.homes import Home
from tcworker.cache.rows import Row
from tcworker.cache.stock import Kept, Stock

_log = Logger()


async def take_stock(rows: Sequence[Row], homes: Sequence[Home], stock: Stock) -> Sequence[int]:
    """Put what is whole into the stock, and give the ids of the others, of which nothing is to be kept.

    Those are the ones that a run had when the worker died, that nobody was to get again, and whose folder is gone.
    """
    by_name = {home.name: home for home in homes}
    gone = [row for row in rows if not await _load(row, by_name.get(row.platform), stock)]
    stock.skip_ids(row.id for row in gone)
    for row in gone:
        if row.run is not None:
            _log.info(
                "{what} is thrown away: the worker before this one ended while {run} had it",
                what=row.words,
                run=row.run,
            )
    return [row.id for row in gone]


async def _load(row: Row, home: Home | None, stock: Stock) -> bool:
    if home is None or row.run is not None or row.purged:
        return False
    folder = await home.find(row.name, row.details)
    if folder is None:
        return False
    stock.load(Kept(row, folder))
    return True
