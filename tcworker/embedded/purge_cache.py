"""Requests to purge caches of workers (contracts of the queue, 5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import inf

from tcworker.embedded import dates, rows
from tcworker.embedded.api_service import ApiService
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.expiry import deletion
from tcworker.embedded.faults import ApiError
from tcworker.embedded.ground import Ground
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME, Checker, closed
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS purge_requests (
    pool_id TEXT NOT NULL, cache_name TEXT NOT NULL, before INTEGER NOT NULL, expires INTEGER NOT NULL,
    PRIMARY KEY (pool_id, cache_name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS purge_requests_by_end ON purge_requests (expires);
"""

# Not the pattern of all other services: letters of both cases are good here.
PATTERNS = {"workerPoolId": f"^{NAME}/{NAME}$"}
POOL = "/purge-cache/<*workerPoolId>"
REMEMBERED = 1000

_BODY = closed({"cacheName": {"type": "string"}}, required=["cacheName"])

Request = tuple[int, JSON]
"""From when it is, and how it is answered."""


class PurgeCacheService(ApiService):
    """Takes and lists requests.

    As the real one it reads the list of a pool once and then answers it for ten seconds, whatever comes: a worker that
    asks for what is new must let its periods overlap.
    """

    schema = SCHEMA
    expired = (deletion("purge_requests", "pool_id, cache_name"),)

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._read: dict[str, tuple[float, Sequence[Request]]] = {}
        super().__init__("purge-cache", ground, self._routes(), PATTERNS)

    def _routes(self) -> Sequence[Route]:
        everything, some = "purge-cache:all-purge-requests", "purge-cache:purge-requests::<workerPoolId>"
        return [
            Route("purgeCache", "POST", POOL, self._purge, body=Checker(_BODY)),
            Route("allPurgeRequests", "GET", "/purge-cache/list", self._list_all, everything, PAGED),
            Route("purgeRequests", "GET", POOL, self._list, some, {"since": ".*"}),
        ]

    async def _purge(self, call: Call) -> Reply:
        pool_id, name = call.params["workerPoolId"], call.body["cacheName"]
        call.require(f"purge-cache:{pool_id}:{name}")
        await self._ground.database.run(_put, pool_id, name, dates.now(self._ground.clock))
        return Reply(204)

    async def _list(self, call: Call) -> JSON:
        since = _since(call.query["since"]) if "since" in call.query else 0
        requests = await self._of_pool(call.params["workerPoolId"])
        return {"requests": [request for before, request in requests if before >= since]}

    async def _of_pool(self, pool_id: str) -> Sequence[Request]:
        now = self._ground.clock.seconds()
        read, requests = self._read.get(pool_id, (-inf, ()))
        if now - read <= self._ground.times.purge_requests:
            return requests
        requests = await self._ground.database.read(_of_pool, pool_id, dates.now(self._ground.clock))
        if len(self._read) >= REMEMBERED:
            # Strangers may ask for any number of pools.
            self._read.clear()
        self._read[pool_id] = (now, requests)
        return requests

    async def _list_all(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        items = await self._ground.database.read(_page, dates.now(self._ground.clock), limit, after)
        return one_page("requests", items, limit)


def _since(text: str) -> int:
    try:
        since = dates.read_leniently(text)
    except ValueError:
        since = 0
    # The beginning of time is no date for the real one either.
    if not since:
        raise ApiError("InvalidRequestArguments", f"Invalid query:\nsince={text!r} is not a date")
    return since


def _put(connection: sqlite3.Connection, pool_id: str, cache_name: str, now: int) -> None:
    request = {"pool_id": pool_id, "cache_name": cache_name, "before": now, "expires": now + dates.DAY}
    rows.put(connection, "purge_requests", request)


def _of_pool(connection: sqlite3.Connection, pool_id: str, now: int) -> Sequence[Request]:
    query = "SELECT * FROM purge_requests WHERE pool_id = ? AND expires >= ?"
    return [(row["before"], _to_json(row)) for row in connection.execute(query, (pool_id, now))]


def _page(connection: sqlite3.Connection, now: int, limit: int, after: str) -> Sequence[tuple[str, JSON]]:
    # No space is in a pool's id, and the rest is the cache's name.
    pool_id, _, cache_name = after.partition(" ")
    query = (
        "SELECT * FROM purge_requests WHERE (pool_id, cache_name) > (?, ?) AND expires >= ?"
        " ORDER BY pool_id, cache_name LIMIT ?"
    )
    found = connection.execute(query, (pool_id, cache_name, now, limit + 1))
    return [(f"{row['pool_id']} {row['cache_name']}", _to_json(row)) for row in found]


def _to_json(row: sqlite3.Row) -> JSON:
    provisioner_id, _, worker_type = row["pool_id"].partition("/")
    named = {"provisionerId": provisioner_id, "workerType": worker_type, "cacheName": row["cache_name"]}
    return {**named, "before": dates.write(row["before"])}
