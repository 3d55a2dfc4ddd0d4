"""How a worker gets its credentials, and new ones later (contracts of the queue, 4.1 and 4.2)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import slugid

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.credentials import show_credentials
from tcworker.embedded.faults import bad_input
from tcworker.embedded.ground import Ground
from tcworker.embedded.outbox import Message
from tcworker.embedded.routing import Route, nothing_of
from tcworker.embedded.schemas import Checker
from tcworker.embedded.worker_manager import messages, pools, workers
from tcworker.embedded.worker_manager.bodies import REGISTER, REREGISTER
from tcworker.embedded.worker_manager.changes import Changes
from tcworker.embedded.worker_manager.pools import Pool
from tcworker.embedded.worker_manager.proofs import BadProof, Claim
from tcworker.embedded.worker_manager.providers import Provider, Providers
from tcworker.embedded.worker_manager.workers import Worker, digest, matches
from tcworker.interfaces import JSON

# So that they are good for a worker whose clock is behind.
BEFORE = 15 * dates.MINUTE

WRONG_SECRET = "Could not generate credentials for this secret"
"""The same for all that can be wrong with it, so that nobody finds out which workers there are."""


@dataclass(frozen=True)
class Application:
    """What somebody says who wants to be a worker.

    @ivar root_url: as which this server is known.
    @ivar secret: the one that is to be good for the next reregistration.
    """

    pool_id: str
    provider_id: str
    worker_group: str
    worker_id: str
    proof: JSON
    root_url: str
    now: int
    secret: str


@dataclass(frozen=True)
class Registered:
    """A worker whose credentials can be made."""

    worker: Worker
    config: JSON


class Registration:
    """Answers registerWorker and reregisterWorker."""

    def __init__(self, ground: Ground, changes: Changes, providers: Providers) -> None:
        self._ground = ground
        self._changes = changes
        self._providers = providers

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        first, again = Checker(REGISTER, secret=True), Checker(REREGISTER, secret=True)
        # Neither what proves a worker nor its secret is for anybody's logs.
        return [
            Route("registerWorker", "POST", "/worker/register", self._register, body=first, show=nothing_of),
            Route("reregisterWorker", "POST", "/worker/reregister", self._reregister, body=again, show=nothing_of),
        ]

    async def _register(self, call: Call) -> JSON:
        body, secret = call.body, _new_secret()
        application = Application(
            pool_id=body["workerPoolId"],
            provider_id=body["providerId"],
            worker_group=body["workerGroup"],
            worker_id=body["workerId"],
            proof=body["workerIdentityProof"],
            root_url=self._ground.addresses.root_url,
            now=self._changes.now,
            secret=secret,
        )
        registered = await self._changes.make(self._admit, application)
        return {**self._answer(registered, application.now, secret), "workerConfig": registered.config}

    def _admit(self, connection: sqlite3.Connection, application: Application) -> tuple[Registered, Iterable[Message]]:
        pool = pools.get(connection, application.pool_id)
        provider = self._providers.get(application.provider_id)
        # A provider that the pool had before may still have workers on their way.
        if not pool.is_with(provider.provider_id):
            raise bad_input(f"Worker pool {pool.pool_id} not associated with provider {provider.provider_id}")
        worker = workers.get(connection, pool.pool_id, application.worker_group, application.worker_id)
        _check_worker(worker, application)
        if provider.is_static:
            return _admit_static(connection, pool, worker, application)
        return _admit_machine(connection, provider, worker, application)

    async def _reregister(self, call: Call) -> JSON:
        body, secret, now = call.body, _new_secret(), self._changes.now
        name = (body["workerPoolId"], body["workerGroup"], body["workerId"])
        # First of all: without the scope, nobody finds out whether a secret is right.
        call.require(f"worker-manager:reregister-worker:{'/'.join(name)}")
        registered = await self._changes.make(_readmit, name, (body["secret"], secret), now)
        return self._answer(registered, now, secret)

    def _answer(self, registered: Registered, now: int, secret: str) -> JSON:
        worker = registered.worker
        expires = dates.after(now, worker.reregistration)
        client_id = f"worker/{worker.provider_id}/{worker.name}"
        made = self._ground.issue(client_id, _scopes(worker), now - BEFORE, expires)
        return {"expires": dates.write(expires), "credentials": show_credentials(made), "secret": secret}


def _new_secret() -> str:
    return f"{slugid.nice()}{slugid.nice()}"


def _scopes(worker: Worker) -> Sequence[str]:
    pool, own = worker.pool_id, f"{worker.worker_group}/{worker.worker_id}"
    verbs = ("remove-worker", "reregister-worker", "should-worker-terminate")
    return [
        f"assume:worker-type:{pool}",
        f"assume:worker-pool:{pool}",
        f"assume:worker-id:{own}",
        f"queue:worker-id:{own}",
        f"secrets:get:worker-type:{pool}",
        f"secrets:get:worker-pool:{pool}",
        f"queue:claim-work:{pool}",
        *(f"worker-manager:{verb}:{worker.name}" for verb in verbs),
    ]


def _check_worker(worker: Worker, application: Application) -> None:
    name = f"Worker {worker.worker_group}/{worker.worker_id}"
    if worker.expires < application.now:
        raise bad_input(f"{name} has expired")
    if worker.provider_id != application.provider_id:
        raise bad_input(f"{name} does not have provider {application.provider_id}")


def _admit_static(
    connection: sqlite3.Connection, pool: Pool, worker: Worker, application: Application
) -> tuple[Registered, Iterable[Message]]:
    """Admit a worker as often as it comes: one that has lost its credentials comes again."""
    if worker.state != "running":
        raise bad_input("worker is not running")
    secret = application.proof.get("staticSecret")
    if secret is None:
        raise bad_input("missing staticSecret in workerIdentityProof")
    if not matches(worker.static_secret, secret):
        raise bad_input("bad staticSecret in workerIdentityProof")
    # Somebody made it before it was known when it would come: how long its credentials last is what its pool says now.
    admitted = replace(worker, secret=digest(application.secret), reregistration=pool.reregistration)
    workers.put(connection, admitted)
    return Registered(admitted, pool.config.get("workerConfig", {})), ()


def _admit_machine(
    connection: sqlite3.Connection, provider: Provider, worker: Worker, application: Application
) -> tuple[Registered, Iterable[Message]]:
    """Admit a machine of a cloud, once."""
    now, awaited = application.now, worker.state == "requested"
    claim = Claim(application.proof, worker.worker_id, worker.identity, awaited, application.root_url, now)
    try:
        _proof_of(provider)(claim)
    except BadProof as refusal:
        raise bad_input(str(refusal)) from None
    admitted = replace(worker, state="running", modified=now, secret=digest(application.secret))
    workers.put(connection, admitted)
    return Registered(admitted, worker.config), [messages.worker_event("running", admitted, now)]


def _proof_of(provider: Provider) -> Callable[[Claim], None]:
    if provider.check_proof is None:
        raise bad_input(f"Workers of provider {provider.provider_id} do not register: not supported")
    return provider.check_proof


def _readmit(
    connection: sqlite3.Connection, name: tuple[str, str, str], secrets: tuple[str, str], now: int
) -> tuple[Registered, Iterable[Message]]:
    """Take one secret for another."""
    worker, (given, fresh) = workers.find(connection, *name), secrets
    # Each is good once: if somebody else has used it, the worker learns so by this refusal.
    if worker is None or not matches(worker.secret, given):
        raise bad_input(WRONG_SECRET)
    _check_alive(worker, now)
    workers.put(connection, replace(worker, secret=digest(fresh)))
    return Registered(worker, None), ()


def _check_alive(worker: Worker, now: int) -> None:
    own = f"Worker {worker.worker_group}/{worker.worker_id}"
    if worker.state != "running":
        raise bad_input(f"{own} is not running")
    if worker.expires < now:
        raise bad_input(f"{own} has expired")
