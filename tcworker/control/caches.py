"""What somebody on a worker's machine can do with its caches, whether the worker runs or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tcworker.cache.rows import Row
from tcworker.control.orders import CLEAR_CACHES, PURGE_CACHE, Order
from tcworker.interfaces import JSON
from tcworker.task.claim import write_date
from tcworker.waiting import Executor, OneShot

_log = Logger()


class Caches(Protocol):
    """What is kept for tasks: L{tcworker.cache.store.CacheStore}.

    C{purge} and C{clear} give what became of it in words, nothing if there were none. They fail with what keeps the
    worker's state from being written, or something from being removed.
    """

    def rows(self) -> Deferred[Sequence[Row]]: ...

    def purge(self, name: str, before: float, /) -> Deferred[str]: ...

    def clear(self) -> Deferred[str]: ...


class CacheOrders:
    """Obeys orders about caches.

    @param opened: fires when it is known which there are.
    """

    def __init__(self, caches: Caches, opened: OneShot[None], threads: Executor) -> None:
        self._caches = caches
        self._opened = opened
        self._threads = threads

    async def obey(self, order: Order) -> str:
        """Do what an order says, and answer in JSON with what there is, or in words what became of it."""
        await self._opened.wait()
        if order.what == PURGE_CACHE:
            return self._said(await self._caches.purge(order.cache, inf), f"there is no cache {order.cache}")
        if order.what == CLEAR_CACHES:
            return self._said(await self._caches.clear(), "nothing is kept")
        # Of ten thousand that takes a tenth of a second.
        return await self._threads.run(_write_all, await self._caches.rows())

    def _said(self, said: str, nothing: str) -> str:
        if said:
            _log.info("by hand: {said}", said=said)
        return json.dumps({"said": said or nothing})


def _write_all(rows: Sequence[Row]) -> str:
    # One by one: all at once would keep every other thread from its turn until the last is written.
    return f'{{"caches": [{", ".join(json.dumps(as_json(row)) for row in rows)}]}}'


def as_json(row: Row) -> JSON:
    """Something that is kept, as programs read it: sizes in bytes, dates as the queue writes them."""
    return {
        "kind": row.kind,
        "platform": row.platform,
        "name": row.name,
        "what": row.words,
        "path": row.path,
        "bytes": row.size,
        "created": _date(row.created),
        "used": _date(row.used),
        "secondsToMake": round(row.seconds, 3),
        "inUse": not row.idle,
        "run": row.run,
        "toBePurged": row.purged,
    }


def _date(seconds: float) -> str:
    return write_date(datetime.fromtimestamp(seconds, UTC))
