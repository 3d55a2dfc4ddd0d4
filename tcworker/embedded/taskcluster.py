"""The Taskcluster inside: the service that puts all others on one port."""

from __future__ import annotations

import os
from typing import Any

import slugid
from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from tcworker.embedded import storage
from tcworker.embedded.api import ApiResource
from tcworker.embedded.auth.authenticator import Authenticator, Client
from tcworker.embedded.auth.roles import ANONYMOUS, ANONYMOUS_SCOPES, Roles
from tcworker.embedded.auth.service import AuthService
from tcworker.embedded.database import Database
from tcworker.embedded.heartbeat import Heartbeat
from tcworker.embedded.queue import store
from tcworker.embedded.queue.service import QueueService
from tcworker.embedded.site import EmbeddedSite
from tcworker.embedded.storage import Addresses, StorageResource
from tcworker.embedded.times import Times
from tcworker.interfaces import Credentials
from tcworker.waiting import OneShot

__all__ = ["Taskcluster", "Times"]

ROOT_CLIENT = "static/taskcluster/root"
QUEUE_CLIENT = "static/taskcluster/queue"
REAL_TIMES = Times()


class IServerReactor(IReactorTCP, IReactorTime):
    """What a server needs of a reactor."""


class Taskcluster(Service):
    """A Taskcluster in one process: auth, queue and artifacts.

    @param folder: for database and artifacts; made when it is not there. What is in it is gone on with.
    @param port: 0 for any that is free.
    @param root: the client who may do everything; one with a new access token when C{None}.
    @ivar root_url: once it listens.
    @ivar root_credentials: of the client who may do everything.
    """

    def __init__(
        self,
        reactor: IServerReactor,
        folder: str,
        *,
        interface: str = "127.0.0.1",
        port: int = 0,
        times: Times = REAL_TIMES,
        root: Credentials | None = None,
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._interface = interface
        self._port_number = port
        self._times = times
        self.root_credentials = root or Credentials(ROOT_CLIENT, _new_key())
        self.root_url = ""
        self._listening: OneShot[str] = OneShot()
        self._port: IListeningPort | None = None
        self._database: Database | None = None

    def when_listening(self) -> Deferred[str]:
        """Fire with the root URL once it can be called; fails when it cannot listen."""
        return self._listening.wait()

    def startService(self) -> None:
        super().startService()
        try:
            self._open()
            self._listen()
        except Exception as error:
            self._listening.fail(error)
            raise

    def stopService(self) -> Deferred[None]:
        """Answer those who wait, close every connection and the database."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def end_polls(self) -> None:
        """Answer every claimWork that waits with an empty list, now."""
        self._queue.claims.end_polls()

    def _listen(self) -> None:
        site: ServerFactory[Any] = self._site
        self._port = self._reactor.listenTCP(self._port_number, site, interface=self._interface)
        host = self._port.getHost()
        assert isinstance(host, IPv4Address | IPv6Address)
        self.root_url = f"http://{self._interface}:{host.port}"
        self._addresses.root_url = self.root_url
        self._queue.start()
        self._listening.succeed(self.root_url)

    def _open(self) -> None:
        """Open the folder and build the services on it."""
        artifacts, spool = (os.path.join(self._folder, name) for name in ("artifacts", "uploads"))
        for folder in (self._folder, artifacts, spool):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        # Uploads that an earlier process did not finish.
        for left in os.scandir(spool):
            os.unlink(left)
        database = Database(os.path.join(self._folder, "taskcluster.db"), store.SCHEMA + storage.SCHEMA)
        self._database = database
        clock, heartbeat = self._reactor, Heartbeat(self._reactor)
        roles = Roles({ANONYMOUS: ANONYMOUS_SCOPES})
        issuer = Credentials(QUEUE_CLIENT, database.key(QUEUE_CLIENT, _new_key()))
        clients = [Client(credentials, roles.expand(["*"])) for credentials in (self.root_credentials, issuer)]
        self._addresses = Addresses(clock, database.key("addresses", _new_key()))
        self._queue = QueueService(clock, self._times, database, self._addresses, issuer, heartbeat)
        apis = [self._queue.api, AuthService(roles, heartbeat).api]
        self._calls = ApiResource(clock, Authenticator(clock, clients, roles), apis)
        self._storage = StorageResource(artifacts, spool, database, self._addresses)
        self._site = EmbeddedSite(_Root(self._calls, self._storage), spool, clock)

    async def _stop(self) -> None:
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
            # First those who wait get their answers, then the connections go that carry them.
            await self._queue.stop()
            await self._calls.wait()
            await self._site.close_connections()
            await self._storage.wait()
        if self._database is not None:
            self._database.close()


class _Root(Resource):
    """The one place where paths divide, on the raw path."""

    isLeaf = True

    def __init__(self, calls: IResource, storage: IResource) -> None:
        super().__init__()
        self._calls = calls
        self._storage = storage

    def render(self, request: Request) -> bytes | int:
        stored = request.path.startswith(storage.PREFIX.encode())
        answered: bytes | int = (self._storage if stored else self._calls).render(request)
        return answered


def _new_key() -> str:
    return str(slugid.v4() + slugid.v4())
