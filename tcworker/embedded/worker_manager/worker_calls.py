"""The calls about workers, by those who look after them (contracts of the queue, 4.3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import bad_input
from tcworker.embedded.outbox import Message
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME, Checker
from tcworker.embedded.worker_manager import messages, pools, workers
from tcworker.embedded.worker_manager.bodies import CREATE_WORKER, without_static_secret
from tcworker.embedded.worker_manager.changes import Changes
from tcworker.embedded.worker_manager.providers import Provider, Providers
from tcworker.embedded.worker_manager.workers import Wanted, Worker, digest
from tcworker.interfaces import JSON

WORKER = "/workers/<workerPoolId>/<workerGroup>/<workerId>"
IN_SCOPES = "<workerPoolId>/<workerGroup>/<workerId>"
REASON = "workerManager.removeWorker API call"
HISTORIC = ("listWorkersForWorkerGroup", "worker", "createWorker")
"""Calls that are also known by a path with a colon after the pool."""

Told = tuple[JSON, Iterable[Message]]


@dataclass(frozen=True)
class Draft:
    """What somebody wants a worker to be.

    @ivar static_secret: the hash of the secret that will prove who it is; C{None} when none was given.
    @ivar expires: in milliseconds, as C{now}.
    """

    pool_id: str
    worker_group: str
    worker_id: str
    static_secret: str | None
    capacity: int
    expires: int
    now: int


class WorkerCalls:
    """Answers the calls about workers."""

    def __init__(self, changes: Changes, providers: Providers) -> None:
        self._changes = changes
        self._providers = providers

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        routes = [*self._routes_to_change(), *self._routes_to_look()]
        colon = ("/workers/<workerPoolId>/", "/workers/<workerPoolId>:/")
        historic = [replace(one, path=one.path.replace(*colon)) for one in routes if one.name in HISTORIC]
        return [*historic, *routes]

    def _routes_to_change(self) -> Sequence[Route]:
        body, show = Checker(CREATE_WORKER, secret=True), without_static_secret
        create, update, remove = (
            f"worker-manager:{verb}-worker:{IN_SCOPES}" for verb in ("create", "update", "remove")
        )
        return [
            Route("createWorker", "PUT", WORKER, self._create, create, body=body, show=show),
            Route("updateWorker", "POST", WORKER, self._update, update, body=body, show=show),
            Route("removeWorker", "DELETE", WORKER, self._remove, remove),
        ]

    def _routes_to_look(self) -> Sequence[Route]:
        pool, group = "/workers/<*workerPoolId>", "/workers/<workerPoolId>/<workerGroup>"
        listed, terminate = "worker-manager:list-workers:<workerPoolId>", f"{WORKER}/should-terminate"
        query = {**PAGED, "launchConfigId": NAME, "state": "|".join(workers.STATES)}
        get, ask = (f"worker-manager:{verb}:{IN_SCOPES}" for verb in ("get-worker", "should-worker-terminate"))
        return [
            Route("listWorkersForWorkerGroup", "GET", group, self._list, f"{listed}/<workerGroup>", PAGED),
            Route("worker", "GET", WORKER, self._get, get),
            Route("shouldWorkerTerminate", "GET", terminate, self._should_terminate, ask),
            Route("listWorkersForWorkerPool", "GET", pool, self._list, listed, query),
        ]

    async def _create(self, call: Call) -> JSON:
        return await self._changes.make(self._add, self._draft(call))

    async def _update(self, call: Call) -> JSON:
        return await self._changes.make(self._change, self._draft(call))

    def _draft(self, call: Call) -> Draft:
        secret = call.body.get("providerInfo", {}).get("staticSecret")
        return Draft(
            *_addressed(call),
            static_secret=secret and digest(secret),
            capacity=call.body["capacity"],
            expires=dates.read(call.body["expires"]),
            now=self._changes.now,
        )

    def _add(self, connection: sqlite3.Connection, draft: Draft) -> Told:
        pool = pools.get(connection, draft.pool_id)
        if draft.expires < draft.now:
            raise bad_input("worker.expires must be in the future")
        _check_static(self._providers.get(pool.provider_id), draft)
        known = workers.find(connection, draft.pool_id, draft.worker_group, draft.worker_id)
        if known is None:
            known = _new(draft, pool.provider_id)
            workers.add(connection, known)
        elif (known.provider_id, known.static_secret) != (pool.provider_id, draft.static_secret):
            raise bad_input("worker already exists")
        return known.to_json(), ()

    def _change(self, connection: sqlite3.Connection, draft: Draft) -> Told:
        provider = self._providers.get(pools.get(connection, draft.pool_id).provider_id)
        worker = workers.get(connection, draft.pool_id, draft.worker_group, draft.worker_id)
        _check_static(provider, draft)
        # An end in the past is allowed here: that is how a worker is made to expire.
        changed = replace(worker, expires=draft.expires, capacity=draft.capacity, static_secret=draft.static_secret)
        workers.put(connection, changed)
        return changed.to_json(), ()

    async def _remove(self, call: Call) -> JSON:
        return await self._changes.make(self._stop, _addressed(call), self._changes.now)

    def _stop(self, connection: sqlite3.Connection, name: tuple[str, str, str], now: int) -> Told:
        worker = workers.get(connection, *name)
        if self._providers.get(worker.provider_id).is_static:
            # Of these nobody is told.
            workers.put(connection, replace(worker, state="stopped"))
            return {}, ()
        # No cloud is there that would take its time: it has stopped when the call is answered.
        stopped = replace(worker, state="stopped", modified=now)
        workers.put(connection, stopped)
        removed = messages.worker_event("removed", worker, now, REASON)
        ended = worker.state in ("stopping", "stopped")
        return {}, () if ended else (removed, messages.worker_event("stopped", stopped, now))

    async def _get(self, call: Call) -> JSON:
        return (await self._changes.look(workers.get, *_addressed(call))).to_json()

    async def _list(self, call: Call) -> JSON:
        query, (limit, after) = call.query, page_of(call.query)
        wanted = Wanted(
            call.params["workerPoolId"],
            call.params.get("workerGroup"),
            query.get("launchConfigId"),
            query.get("state"),
        )
        found = await self._changes.look(_page, wanted, limit, after)
        items = [(f"{worker.worker_group}/{worker.worker_id}", worker.to_json()) for worker in found]
        return one_page("workers", items, limit)

    async def _should_terminate(self, call: Call) -> JSON:
        reason = await self._changes.look(_reason_to_go, _addressed(call))
        return {"terminate": reason is not None, "reason": reason or "none"}


def _addressed(call: Call) -> tuple[str, str, str]:
    return call.params["workerPoolId"], call.params["workerGroup"], call.params["workerId"]


def _check_static(provider: Provider, draft: Draft) -> None:
    if not provider.is_static:
        raise bad_input(f"Workers of provider {provider.provider_id} are not made by hand: not supported")
    if draft.static_secret is None:
        raise bad_input("no worker staticSecret provided")


def _new(draft: Draft, provider_id: str) -> Worker:
    return Worker(
        pool_id=draft.pool_id,
        worker_group=draft.worker_group,
        worker_id=draft.worker_id,
        provider_id=provider_id,
        state="running",
        capacity=draft.capacity,
        created=draft.now,
        expires=draft.expires,
        modified=draft.now,
        static_secret=draft.static_secret,
    )


def _page(connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str) -> Sequence[Worker]:
    # A group of a pool that is not there is simply empty.
    if wanted.worker_group is None:
        pools.get(connection, wanted.pool_id)
    return workers.page(connection, wanted, limit, after)


def _reason_to_go(connection: sqlite3.Connection, name: tuple[str, str, str]) -> str | None:
    worker = workers.get(connection, *name)
    pool = pools.find(connection, worker.pool_id)
    return worker.terminate or (pool.terminate if pool else None)
