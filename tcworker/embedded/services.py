"""All services of a server, made on common ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tcworker.embedded import contents
from tcworker.embedded.api_service import ApiService
from tcworker.embedded.auth.authenticator import Authenticator
from tcworker.embedded.auth.clients import StaticClient
from tcworker.embedded.auth.service import AuthService
from tcworker.embedded.expiry import Expiry
from tcworker.embedded.ground import Ground
from tcworker.embedded.index import IndexService
from tcworker.embedded.objects.service import ObjectService
from tcworker.embedded.page.service import PageService
from tcworker.embedded.purge_cache import PurgeCacheService
from tcworker.embedded.queue.service import QueueService
from tcworker.embedded.secrets import SecretsService
from tcworker.embedded.worker_manager.proofs import ProofKeys
from tcworker.embedded.worker_manager.service import WorkerManagerService

SERVICES: Sequence[type[ApiService]] = (
    AuthService,
    QueueService,
    ObjectService,
    IndexService,
    SecretsService,
    PurgeCacheService,
    WorkerManagerService,
    PageService,
)
"""All that there are, in the order in which they start."""

SCHEMA = contents.SCHEMA + "".join(service.schema for service in SERVICES)
"""Of all tables that they need."""


@dataclass(frozen=True)
class Services:
    """What answers calls, and the one who knows the callers.

    @ivar expiry: deletes what has expired.
    """

    authenticator: Authenticator
    queue: QueueService
    worker_manager: WorkerManagerService
    every: Sequence[ApiService]
    expiry: Expiry

    async def start(self) -> None:
        """Let each begin."""
        for service in self.every:
            await service.start()
        self.expiry.start()

    async def stop(self) -> None:
        """Let each end; those that were made last end first."""
        await self.expiry.stop()
        for service in reversed(self.every):
            await service.stop()


def make_services(
    ground: Ground,
    static_clients: Sequence[StaticClient],
    tunnel_secret: str | None,
    proof_keys: ProofKeys,
) -> Services:
    """Make all services.

    @param static_clients: those who are there from the start.
    @param tunnel_secret: what tokens of websocktunnel are signed with; one of its own when C{None}.
    @param proof_keys: by what the worker-manager knows machines of clouds.
    """
    auth = AuthService(ground, static_clients, tunnel_secret)
    queue = QueueService(ground)
    manager = WorkerManagerService(ground, proof_keys)
    every = (
        auth,
        queue,
        ObjectService(ground),
        IndexService(ground, auth.everybody_has),
        SecretsService(ground),
        PurgeCacheService(ground),
        manager,
        PageService(ground),
    )
    # One that is not in the list would have no tables.
    assert tuple(type(service) for service in every) == SERVICES
    expired = [job for service in every for job in service.expired]
    expiry = Expiry(ground, expired, [service.tidy for service in every])
    return Services(auth.authenticator, queue, manager, every, expiry)
