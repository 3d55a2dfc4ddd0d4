"""All services of a server, made on common ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tcworker.embedded import index, purge_cache, secrets, storage
from tcworker.embedded.auth.authenticator import Authenticator, Client
from tcworker.embedded.auth.roles import ANONYMOUS, ANONYMOUS_SCOPES, Roles
from tcworker.embedded.auth.service import AuthService
from tcworker.embedded.ground import ApiService, Ground
from tcworker.embedded.index import IndexService
from tcworker.embedded.objects import service as objects
from tcworker.embedded.objects.service import ObjectService
from tcworker.embedded.purge_cache import PurgeCacheService
from tcworker.embedded.queue import store
from tcworker.embedded.queue.service import QueueService
from tcworker.embedded.secrets import SecretsService
from tcworker.embedded.worker_manager import service as worker_manager
from tcworker.embedded.worker_manager.service import WorkerManagerService
from tcworker.interfaces import Credentials

SCHEMA = "".join(module.SCHEMA for module in (store, storage, index, secrets, purge_cache, objects, worker_manager))


@dataclass(frozen=True)
class Services:
    """What answers calls, and the one who knows the callers."""

    authenticator: Authenticator
    queue: QueueService
    every: Sequence[ApiService]

    async def start(self) -> None:
        """Let each begin."""
        for service in self.every:
            await service.start()

    async def stop(self) -> None:
        """Let each end; those that were made last end first."""
        for service in reversed(self.every):
            await service.stop()


def make_services(ground: Ground, credentials: Sequence[Credentials]) -> Services:
    """Make all services.

    @param credentials: of the clients who may do everything.
    """
    roles = Roles({ANONYMOUS: ANONYMOUS_SCOPES})
    clients = [Client(one, roles.expand(["*"])) for one in credentials]
    queue = QueueService(ground)
    every = (
        AuthService(roles, ground),
        queue,
        ObjectService(ground),
        IndexService(ground),
        SecretsService(ground),
        PurgeCacheService(ground),
        WorkerManagerService(ground),
    )
    return Services(Authenticator(ground.clock, clients, roles), queue, every)
