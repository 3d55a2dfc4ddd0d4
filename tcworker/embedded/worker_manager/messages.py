"""What the worker-manager tells of what happens (contracts of the queue, 2.1, 2.2 and 2.4)."""

from __future__ import annotations

from collections.abc import Iterable

from tcworker.embedded import dates
from tcworker.embedded.outbox import Message
from tcworker.embedded.worker_manager.pools import ConfigChanges, Pool
from tcworker.embedded.worker_manager.workers import Worker
from tcworker.interfaces import JSON

_NOTHING = "_"


def _message(exchange: str, payload: JSON, routing: JSON) -> Message:
    provisioner_id, _, worker_type = routing.get("workerPoolId", "").partition("/")
    words = [routing.get(name) for name in ("workerGroup", "workerId", "launchConfigId")]
    words = [routing.get("providerId"), provisioner_id, worker_type, *words, None]
    key = ".".join(["primary", *(word or _NOTHING for word in words)])
    present = {name: value for name, value in payload.items() if value is not None}
    return Message("worker-manager", exchange, key, present)


def pool_created(pool: Pool) -> Message:
    """There is a new pool."""
    # Nothing but what is the same for all stands in these routing keys.
    return _message("worker-pool-created", {"workerPoolId": pool.pool_id, "providerId": pool.provider_id}, {})


def pool_updated(pool: Pool, before: Pool) -> Message:
    """A pool is another one than before."""
    payload = {"workerPoolId": pool.pool_id, "providerId": pool.provider_id, "previousProviderId": before.provider_id}
    return _message("worker-pool-updated", payload, {})


def configs_changed(pool: Pool, changes: ConfigChanges) -> Iterable[Message]:
    """The launch configurations of a pool are others than before."""
    events = (
        ("launch-config-updated", changes.updated),
        ("launch-config-created", changes.created),
        ("launch-config-archived", changes.archived),
    )
    for exchange, names in events:
        for name in names:
            payload = {"workerPoolId": pool.pool_id, "providerId": pool.provider_id, "launchConfigId": name}
            yield _message(exchange, payload, payload)


def worker_event(what: str, worker: Worker, now: int, reason: str | None = None) -> Message:
    """A worker is C{requested}, C{running}, C{stopped} or C{removed}, this for some reason."""
    payload = {
        "workerPoolId": worker.pool_id,
        "providerId": worker.provider_id,
        "workerId": worker.worker_id,
        "workerGroup": worker.worker_group,
        "capacity": worker.capacity,
        "timestamp": dates.write(now),
        "launchConfigId": worker.launch_config_id,
        "reason": reason,
    }
    return _message(f"worker-{what}", payload, payload)


def pool_error(pool: Pool, error: JSON) -> Message:
    """Something went wrong with a pool; C{error} as it is answered."""
    payload = {
        "workerPoolId": pool.pool_id,
        "providerId": pool.provider_id,
        "errorId": error["errorId"],
        "kind": error["kind"],
        "title": error["title"],
        "timestamp": error["reported"],
        "workerId": error["extra"].get("workerId"),
        "workerGroup": error["extra"].get("workerGroup"),
        "launchConfigId": error.get("launchConfigId"),
    }
    return _message("worker-pool-error", payload, payload)
