"""What went wrong with pools, for their owners to read (contracts of the queue, 4.3)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import slugid

from tcworker.embedded import dates, rows
from tcworker.embedded.calls import Call
from tcworker.embedded.numbers import LARGEST
from tcworker.embedded.outbox import Message
from tcworker.embedded.paging import PAGED, one_page, page_by_number
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME, SLUGID, Checker
from tcworker.embedded.worker_manager import messages, pools, workers
from tcworker.embedded.worker_manager.bodies import REPORT_ERROR
from tcworker.embedded.worker_manager.changes import Changes
from tcworker.embedded.worker_manager.providers import Providers
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS worker_pool_errors (
    number INTEGER PRIMARY KEY, pool_id TEXT NOT NULL, error_id TEXT NOT NULL, reported INTEGER NOT NULL,
    expires INTEGER NOT NULL, title TEXT NOT NULL, code TEXT, launch_config_id TEXT, error TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS worker_pool_errors_of_pool ON worker_pool_errors (pool_id, number);
CREATE INDEX IF NOT EXISTS worker_pool_errors_by_end ON worker_pool_errors (expires);
"""

LIST = "worker-manager:list-worker-pool-errors"
WEEK = 7 * dates.DAY
HOUR = 60 * dates.MINUTE


class Errors:
    """Answers reportWorkerError, listWorkerPoolErrors and workerPoolErrorStats."""

    def __init__(self, changes: Changes, providers: Providers) -> None:
        self._changes = changes
        self._providers = providers

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        path, body = "/worker-pool-errors/<*workerPoolId>", Checker(REPORT_ERROR)
        query = {**PAGED, "launchConfigId": NAME, "errorId": SLUGID}
        stats = {"workerPoolId": "([a-zA-Z0-9/-]+)?"}
        return [
            Route("reportWorkerError", "POST", path, self._report, body=body),
            Route("workerPoolErrorStats", "GET", "/worker-pool-errors/stats", self._count, query=stats),
            Route("listWorkerPoolErrors", "GET", path, self._list, f"{LIST}:<workerPoolId>", query),
        ]

    async def _report(self, call: Call) -> JSON:
        body, pool_id = call.body, call.params["workerPoolId"]
        own = f"{body['workerGroup']}/{body['workerId']}"
        call.require({"AllOf": [f"assume:worker-pool:{pool_id}", f"assume:worker-id:{own}"]})
        return await self._changes.make(self._add, pool_id, body, self._changes.now)

    def _add(
        self, connection: sqlite3.Connection, pool_id: str, body: JSON, now: int
    ) -> tuple[JSON, Iterable[Message]]:
        pool = pools.get(connection, pool_id)
        # Only to refuse: nothing is told of pools whose provider could not be set up.
        self._providers.for_pool(pool.provider_id)
        worker = workers.find(connection, pool_id, body["workerGroup"], body["workerId"])
        error = _error(pool_id, body, now, worker.launch_config_id if worker else None)
        rows.add(connection, "worker_pool_errors", _row(pool_id, error, now))
        return error, [messages.pool_error(pool, error)]

    async def _list(self, call: Call) -> JSON:
        query, (limit, before) = call.query, page_by_number(call.query, LARGEST)
        filters = (query.get("errorId"), query.get("launchConfigId"))
        items = await self._changes.look(_page, call.params["workerPoolId"], filters, limit, before)
        return one_page("workerPoolErrors", items, limit)

    async def _count(self, call: Call) -> JSON:
        pool_id = call.query.get("workerPoolId", "")
        call.require(f"{LIST}:{pool_id or '*'}")
        return {"workerPoolId": pool_id, "totals": await self._changes.look(_count, pool_id, self._changes.now)}


def _error(pool_id: str, body: JSON, now: int, launch_config_id: str | None) -> JSON:
    # An error has no other place for the worker.
    own = {"workerGroup": body["workerGroup"], "workerId": body["workerId"]}
    error = {
        "workerPoolId": pool_id,
        "errorId": slugid.v4(),
        "reported": dates.write(now),
        "kind": body["kind"],
        "title": body["title"],
        "description": body["description"],
        "extra": {**body["extra"], **own},
    }
    return error if launch_config_id is None else {**error, "launchConfigId": launch_config_id}


def _row(pool_id: str, error: JSON, now: int) -> Mapping[str, object]:
    return {
        "pool_id": pool_id,
        "error_id": error["errorId"],
        "reported": now,
        "expires": now + WEEK,
        "title": error["title"],
        "code": _code(error),
        "launch_config_id": error.get("launchConfigId"),
        "error": json.dumps(error),
    }


def _code(error: JSON) -> str | None:
    code = error["extra"].get("code")
    return None if code is None else str(code)


def _page(
    connection: sqlite3.Connection, pool_id: str, filters: tuple[str | None, str | None], limit: int, before: int
) -> Sequence[tuple[str, JSON]]:
    """Give errors, the last ones first."""
    error_id, launch_config_id = filters
    # IS, for errors without a launch configuration: NULL equals nothing, not even itself.
    found = connection.execute(
        "SELECT number, error FROM worker_pool_errors WHERE pool_id = ? AND number < ?"
        " AND error_id = coalesce(?, error_id) AND launch_config_id IS coalesce(?, launch_config_id)"
        " ORDER BY number DESC LIMIT ?",
        (pool_id, before, error_id, launch_config_id, limit + 1),
    )
    return [(str(row["number"]), json.loads(row["error"])) for row in found]


def _count(connection: sqlite3.Connection, pool_id: str, now: int) -> JSON:
    """Count the errors of a pool, or of all."""
    if pool_id:
        pools.get(connection, pool_id)
    week, day = now - WEEK, now - dates.DAY

    def by(what: str, since: int = 0) -> dict[str, int]:
        condition = "reported >= ? AND pool_id = coalesce(nullif(?, ''), pool_id)"
        query = f"SELECT {what}, count(*) FROM worker_pool_errors WHERE {condition} GROUP BY 1 ORDER BY 1"
        return {_key(key): count for key, count in connection.execute(query, (since, pool_id))}

    # A division of integers and back gives when the day or the hour began, in UTC.
    daily = by(f"reported / {dates.DAY} * {dates.DAY}", week)
    return {
        "total": sum(daily.values()),
        "daily": daily,
        "hourly": by(f"reported / {HOUR} * {HOUR}", day),
        "title": by("title"),
        "code": by("code"),
        "workerPool": by("pool_id"),
        # Their ids are each pool's own: counted over all pools, they would be of different ones.
        "launchConfig": by("launch_config_id") if pool_id else {},
    }


def _key(key: str | int | None) -> str:
    """Write a date as one, and what is not known as C{unknown}."""
    return dates.write(key) if isinstance(key, int) else key or "unknown"
