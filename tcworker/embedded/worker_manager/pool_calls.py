"""The calls about pools, their launch configurations and providers (contracts of the queue, 4.3 and 4.4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import bad_input, conflict
from tcworker.embedded.outbox import Message
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.routing import Route
from tcworker.embedded.sameness import same
from tcworker.embedded.schemas import Checker
from tcworker.embedded.worker_manager import messages, pools, workers
from tcworker.embedded.worker_manager.bodies import CREATE_POOL, UPDATE_POOL
from tcworker.embedded.worker_manager.changes import Changes
from tcworker.embedded.worker_manager.pools import NULL_PROVIDER, Pool
from tcworker.embedded.worker_manager.providers import Providers
from tcworker.interfaces import JSON

POOL = "/worker-pool/<*workerPoolId>"
GET = "worker-manager:get-worker-pool:<workerPoolId>"
LIST = "worker-manager:list-worker-pools"

Told = tuple[JSON, Sequence[Message]]


class PoolCalls:
    """Answers the calls about pools."""

    def __init__(self, changes: Changes, providers: Providers) -> None:
        self._changes = changes
        self._providers = providers

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        create, update = Checker(CREATE_POOL), Checker(UPDATE_POOL)
        manage = "worker-manager:manage-worker-pool:<workerPoolId>"
        configs = "/worker-pool/<workerPoolId>/launch-configs"
        with_archived = {**PAGED, "includeArchived": "true|false"}
        return [
            Route("listProviders", "GET", "/providers", self._list_providers, "worker-manager:list-providers", PAGED),
            Route("createWorkerPool", "PUT", POOL, self._create, body=create),
            Route("updateWorkerPool", "POST", POOL, self._update, body=update),
            Route("deleteWorkerPool", "DELETE", POOL, self._delete, manage),
            Route("listWorkerPoolLaunchConfigs", "GET", configs, self._list_configs, GET, with_archived),
            Route("workerPoolStats", "GET", "/worker-pool/<workerPoolId>/stats", self._count, GET),
            Route("workerPool", "GET", POOL, self._get, GET),
            Route("listWorkerPools", "GET", "/worker-pools", self._list, LIST, PAGED),
            Route("listWorkerPoolsStats", "GET", "/worker-pools/stats", self._list_counts, LIST, PAGED),
        ]

    async def _list_providers(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        return one_page("providers", [one for one in self._providers.to_json() if one[0] > after], limit)

    async def _create(self, call: Call) -> JSON:
        return await self._changes.make(_create, self._wanted(call))

    async def _update(self, call: Call) -> JSON:
        wanted = self._wanted(call)
        if call.body.get("workerPoolId", wanted.pool_id) != wanted.pool_id:
            raise bad_input("Incorrect workerPoolId in request body")
        return await self._changes.make(_update, wanted)

    def _wanted(self, call: Call) -> Pool:
        """Give the pool that somebody wants and may have."""
        pool_id, body = call.params["workerPoolId"], call.body
        manage, use = f"manage-worker-pool:{pool_id}", f"provider:{body['providerId']}"
        call.require({"AllOf": [f"worker-manager:{manage}", f"worker-manager:{use}"]})
        self._providers.for_pool(body["providerId"]).check_config(body["config"])
        return pools.from_api(pool_id, body, self._changes.now)

    async def _delete(self, call: Call) -> JSON:
        return await self._changes.make(_give_up, call.params["workerPoolId"], self._changes.now)

    async def _get(self, call: Call) -> JSON:
        return await self._changes.look(_find, call.params["workerPoolId"])

    async def _list(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        return one_page("workerPools", await self._changes.look(_page, limit, after), limit)

    async def _list_counts(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        return one_page("workerPoolsStats", await self._changes.look(_count_page, limit, after), limit)

    async def _count(self, call: Call) -> JSON:
        return {"launchConfigStats": await self._changes.look(_count, call.params["workerPoolId"])}

    async def _list_configs(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        archived = call.query.get("includeArchived") == "true"
        pool_id = call.params["workerPoolId"]
        items = await self._changes.look(pools.config_page, pool_id, archived, limit, after)
        return one_page("workerPoolLaunchConfigs", items, limit)


def _create(connection: sqlite3.Connection, wanted: Pool) -> Told:
    known = pools.find(connection, wanted.pool_id)
    if known is None:
        return _keep(connection, wanted, messages.pool_created(wanted))
    if not same([*known.words], [*wanted.words]):
        raise conflict("Worker pool already exists")
    # Asked for again in the same words, maybe because the answer was lost: told again as well.
    return _to_json(connection, known), [messages.pool_created(known)]


def _update(connection: sqlite3.Connection, wanted: Pool) -> Told:
    before = pools.get(connection, wanted.pool_id)
    earlier = dict.fromkeys([*before.earlier_providers, before.provider_id])
    after = replace(
        wanted,
        created=before.created,
        terminate=before.terminate,
        earlier_providers=tuple(one for one in earlier if one != wanted.provider_id),
    )
    return _keep(connection, after, messages.pool_updated(after, before))


def _give_up(connection: sqlite3.Connection, pool_id: str, now: int) -> Told:
    before = pools.get(connection, pool_id)
    return _update(connection, replace(before, provider_id=NULL_PROVIDER, modified=now))


def _keep(connection: sqlite3.Connection, pool: Pool, told: Message) -> Told:
    pools.put(connection, pool)
    changes = pools.keep_configs(connection, pool, pool.modified)
    return _to_json(connection, pool), [*messages.configs_changed(pool, changes), told]


def _find(connection: sqlite3.Connection, pool_id: str) -> JSON:
    return _to_json(connection, pools.get(connection, pool_id))


def _page(connection: sqlite3.Connection, limit: int, after: str) -> Sequence[tuple[str, JSON]]:
    return [(pool.pool_id, _to_json(connection, pool)) for pool in pools.page(connection, limit, after)]


def _count_page(connection: sqlite3.Connection, limit: int, after: str) -> Sequence[tuple[str, JSON]]:
    ids = [pool.pool_id for pool in pools.page(connection, limit, after)]
    return [(pool_id, {"workerPoolId": pool_id, **workers.counts(connection, pool_id)}) for pool_id in ids]


def _count(connection: sqlite3.Connection, pool_id: str) -> Sequence[JSON]:
    pools.get(connection, pool_id)
    return workers.counts_by_config(connection, pool_id)


def _to_json(connection: sqlite3.Connection, pool: Pool) -> JSON:
    return {
        "workerPoolId": pool.pool_id,
        "providerId": pool.provider_id,
        "description": pool.description,
        "created": dates.write(pool.created),
        "lastModified": dates.write(pool.modified),
        "config": pool.config,
        "owner": pool.owner,
        "emailOnError": pool.email_on_error,
        **workers.counts(connection, pool.pool_id),
    }
