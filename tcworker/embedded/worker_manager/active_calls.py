"""The calls about workers that the queue has seen, known to the worker-manager or not (contracts of the queue, 4.3)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import not_found
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME
from tcworker.embedded.worker_manager.changes import Changes
from tcworker.embedded.worker_manager.workers import STATES
from tcworker.interfaces import JSON

_EVERY = "/provisioners/<provisionerId>/worker-types/<workerType>/workers"

_WORKERS = """
SELECT seen.*, provider_id, state, capacity, launch_config_id FROM queue_workers AS seen LEFT JOIN workers AS known
ON known.pool_id = task_queue_id AND known.worker_group = seen.worker_group AND known.worker_id = seen.worker_id
WHERE task_queue_id = :pool AND seen.expires > :now
"""


class ActiveCalls:
    """Answers listWorkers and getWorker."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        pool = "<provisionerId>/<workerType>"
        filters = {
            "launchConfigId": NAME,
            "quarantined": "true|false",
            "workerState": "|".join(STATES),
        }
        get = f"worker-manager:get-worker:{pool}/<workerGroup>/<workerId>"
        return [
            Route(
                "listWorkers", "GET", _EVERY, self._list, f"worker-manager:list-workers:{pool}", {**PAGED, **filters}
            ),
            Route("getWorker", "GET", f"{_EVERY}/<workerGroup>/<workerId>", self._get, get),
        ]

    async def _list(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        group, _, worker_id = after.partition("/")
        wanted = {
            **{"pool": _pool(call), "now": self._changes.now, "group": group, "id": worker_id, "most": limit + 1},
            "launch": call.query.get("launchConfigId"),
            "state": call.query.get("workerState"),
            "quarantined": call.query.get("quarantined") == "true",
        }
        return one_page("workers", await self._changes.look(_page, wanted), limit)

    async def _get(self, call: Call) -> JSON:
        name = {"group": call.params["workerGroup"], "id": call.params["workerId"]}
        found = await self._changes.look(_find, {"pool": _pool(call), "now": self._changes.now, **name})
        provisioner_id, worker_type = call.params["provisionerId"], call.params["workerType"]
        return {**found, "provisionerId": provisioner_id, "workerType": worker_type}


def _pool(call: Call) -> str:
    return f"{call.params['provisionerId']}/{call.params['workerType']}"


def _page(connection: sqlite3.Connection, wanted: JSON) -> Sequence[tuple[str, JSON]]:
    rows = connection.execute(
        f"{_WORKERS} AND (seen.worker_group, seen.worker_id) > (:group, :id)"
        " AND (:launch IS NULL OR launch_config_id = :launch) AND (:state IS NULL OR state = :state)"
        " AND (NOT :quarantined OR quarantine_until > :now) ORDER BY seen.worker_group, seen.worker_id LIMIT :most",
        wanted,
    )
    return [(f"{row['worker_group']}/{row['worker_id']}", _summary(row)) for row in rows]


def _find(connection: sqlite3.Connection, name: JSON) -> JSON:
    query = f"{_WORKERS} AND seen.worker_group = :group AND seen.worker_id = :id"
    row = connection.execute(query, name).fetchone()
    if row is None:
        raise not_found(f"Pool {name['pool']} has no worker {name['group']}/{name['id']} that was ever seen.")
    return {
        **_common(row),
        "expires": dates.write(row["expires"]),
        "recentTasks": json.loads(row["recent_tasks"]),
        "quarantineDetails": json.loads(row["quarantine_details"]),
    }


def _summary(row: sqlite3.Row) -> JSON:
    recent = json.loads(row["recent_tasks"])
    return {**_common(row), "latestTask": recent[-1]} if recent else _common(row)


def _common(row: sqlite3.Row) -> JSON:
    launched = {"launchConfigId": row["launch_config_id"]} if row["launch_config_id"] else {}
    return {
        "workerPoolId": row["task_queue_id"],
        "workerGroup": row["worker_group"],
        "workerId": row["worker_id"],
        "state": row["state"] or "standalone",
        "capacity": row["capacity"] or 0,
        "providerId": row["provider_id"] or "none",
        "firstClaim": dates.write(row["first_claim"]),
        "lastDateActive": dates.write(row["last_date_active"]),
        "quarantineUntil": dates.write(row["quarantine_until"]),
        **launched,
    }
