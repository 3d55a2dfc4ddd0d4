"""The worker-manager: its parts put together, and what a program that carries it may do beside its calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tcworker.embedded import dates
from tcworker.embedded.api_service import ApiService
from tcworker.embedded.expiry import deletion
from tcworker.embedded.ground import Ground
from tcworker.embedded.outbox import Message
from tcworker.embedded.schemas import NAME, TASK_QUEUE
from tcworker.embedded.worker_manager import errors, messages, pools, workers
from tcworker.embedded.worker_manager.active_calls import ActiveCalls
from tcworker.embedded.worker_manager.changes import Changes
from tcworker.embedded.worker_manager.errors import Errors
from tcworker.embedded.worker_manager.pool_calls import PoolCalls
from tcworker.embedded.worker_manager.proofs import ProofKeys
from tcworker.embedded.worker_manager.providers import Providers
from tcworker.embedded.worker_manager.registration import Registration
from tcworker.embedded.worker_manager.worker_calls import WorkerCalls
from tcworker.embedded.worker_manager.workers import Worker

PATTERNS = {"workerPoolId": TASK_QUEUE, "workerGroup": NAME, "workerId": NAME}
WEEK = 7 * dates.DAY


@dataclass(frozen=True)
class Machine:
    """A machine of a cloud that is to be a worker of a pool.

    @ivar identity: what its proof will say of it: of AWS C{privateIp}, C{accountId}, C{availabilityZone},
        C{architecture}, C{imageId}, C{instanceType} and C{region}, of Azure C{vmId}, of Google nothing.
    @ivar launch_config_id: of the launch configuration by which it starts, of whose C{workerConfig} it is given.
    """

    pool_id: str
    worker_group: str
    worker_id: str
    identity: Mapping[str, str] = field(default_factory=dict)
    capacity: int = 1
    launch_config_id: str | None = None


class WorkerManagerService(ApiService):
    """Answers calls about pools and workers.

    It starts no machines: who carries it does what a cloud's provider would do, by L{request_worker}.

    @param proof_keys: by what machines of clouds are known.
    """

    schema = pools.SCHEMA + workers.SCHEMA + errors.SCHEMA
    expired = (
        # For a day they are told that they have expired, and only then that they are not known.
        deletion("workers", "pool_id, worker_group, worker_id", dates.DAY),
        deletion("worker_pool_errors", "number"),
        pools.remove_left,
    )

    def __init__(self, ground: Ground, proof_keys: ProofKeys) -> None:
        changes, providers = Changes(ground), Providers(proof_keys)
        self._changes = changes
        self._providers = providers
        parts = (
            PoolCalls(changes, providers),
            WorkerCalls(changes, providers),
            Registration(ground, changes, providers),
            Errors(changes, providers),
            ActiveCalls(changes),
        )
        super().__init__("worker-manager", ground, [route for part in parts for route in part.routes()], PATTERNS)

    async def request_worker(self, machine: Machine) -> None:
        """Put down that a cloud was asked for a machine, which then can register once.

        Raises L{ApiError} if there is no such pool, its provider has no keys, or there is such a worker already.
        """
        await self._changes.make(self._request, machine, self._changes.now)

    def _request(self, connection: sqlite3.Connection, machine: Machine, now: int) -> tuple[None, Iterable[Message]]:
        pool = pools.get(connection, machine.pool_id)
        self._providers.for_machine(pool.provider_id)
        config = pools.named_configs(pool).get(machine.launch_config_id or "", pool.config)
        worker = Worker(
            pool_id=machine.pool_id,
            worker_group=machine.worker_group,
            worker_id=machine.worker_id,
            provider_id=pool.provider_id,
            state="requested",
            capacity=machine.capacity,
            created=now,
            expires=now + WEEK,
            modified=now,
            identity=dict(machine.identity),
            config=config.get("workerConfig", {}),
            reregistration=pool.reregistration,
            launch_config_id=machine.launch_config_id,
        )
        workers.add(connection, worker)
        return None, [messages.worker_event("requested", worker, now)]

    async def ask_to_terminate(self, pool_id: str, worker: tuple[str, str] | None, reason: str | None) -> None:
        """Say what shouldWorkerTerminate answers from now on. Raises L{ApiError} if there is no such pool or worker.

        @param worker: group and id; C{None} for all of the pool.
        @param reason: why they should go; C{None} if they may stay.
        """
        await self._changes.make(_ask_to_terminate, pool_id, worker, reason)


def _ask_to_terminate(
    connection: sqlite3.Connection, pool_id: str, worker: tuple[str, str] | None, reason: str | None
) -> tuple[None, Iterable[Message]]:
    if worker is None:
        pools.put(connection, replace(pools.get(connection, pool_id), terminate=reason))
    else:
        workers.put(connection, replace(workers.get(connection, pool_id, *worker), terminate=reason))
    return None, ()
