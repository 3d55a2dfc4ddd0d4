"""What of an earlier worker's caches is still there, and good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted.logger import Logger

from tcworker.cache.homes import Home
from tcworker.cache.rows import EXCLUSIVE, Row
from tcworker.cache.stock import Kept, Stock

UNWRITTEN = 60.0
"""Seconds in which what is written to a file may be in memory only."""

_MISSING = (
    "{count} of what was kept for tasks are not in cachesDir or downloadsDir any more ({what} for one), and forgotten: "
    "is a disk not mounted?"
)

_log = Logger()


def doubted(rows: Sequence[Row]) -> Sequence[Row]:
    """Let nobody have again what may not have reached the disk when the machine went down."""
    # The kernel writes within half a minute what it was given; and then, at least, the machine was alive.
    since = max((row.used for row in rows), default=0.0) - UNWRITTEN
    return [replace(row, purged=row.purged or _last_written(row) > since) for row in rows]


def _last_written(row: Row) -> float:
    return row.used if row.kind == EXCLUSIVE else row.created + row.seconds


async def take_stock(rows: Sequence[Row], homes: Sequence[Home], stock: Stock) -> Sequence[int]:
    """Put what is whole into the stock, and give the ids of the others, of which nothing is to be kept.

    Those are the ones that a run had when the worker died, that nobody was to get again, and whose folder is gone.
    """
    by_name = {home.name: home for home in homes}
    gone = [row for row in rows if not await _load(row, by_name.get(row.platform), stock)]
    # Of a platform that this worker has not, nobody looked.
    if missing := [row for row in gone if row.run is None and not row.purged and row.platform in by_name]:
        _log.warn(_MISSING, count=len(missing), what=missing[0].words)
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
