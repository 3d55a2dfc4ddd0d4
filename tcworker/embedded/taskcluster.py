"""The Taskcluster inside: the service that puts all others on one port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTCP, IReactorThreads, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from tcworker.embedded import addresses
from tcworker.embedded.addresses import Addresses
from tcworker.embedded.admission import Admission
from tcworker.embedded.api import ApiResource
from tcworker.embedded.auth.certificates import issue
from tcworker.embedded.auth.clients import StaticClient, new_token
from tcworker.embedded.contents import Contents
from tcworker.embedded.database import Database, keep_key
from tcworker.embedded.folder import DataFolder
from tcworker.embedded.ground import Ground
from tcworker.embedded.heartbeat import Heartbeat
from tcworker.embedded.outbox import Outbox
from tcworker.embedded.page.hosts import HostGuard, Hosts
from tcworker.embedded.page.resource import PageResource
from tcworker.embedded.pulse.service import Pulse
from tcworker.embedded.root import RootResource
from tcworker.embedded.services import SCHEMA, Services, make_services
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.site import EmbeddedSite
from tcworker.embedded.storage import StorageResource
from tcworker.embedded.worker_manager.service import WorkerManagerService
from tcworker.interfaces import Credentials
from tcworker.waiting import Loose, OneShot, Threads

T = TypeVar("T")

SERVER_CLIENT = "static/taskcluster/server"
FILE_THREADS = 4
END_POLLS_EVERY = 0.05
PATIENCE = 2
"""Seconds that calls under way have when it ends: some wait for work that takes as long as its caller wants."""
DEFAULTS = TaskclusterSettings()
NO_MOUNTS: Mapping[str, IResource] = {}


class IServerReactor(IReactorTCP, IReactorTime, IReactorThreads):
    """What a server needs of a reactor."""


class Taskcluster(Service):
    """A Taskcluster in one process. Raises L{ConfigError} for a broker's URL that cannot be.

    @param folder: for database and artifacts; made when it is not there. What is in it is gone on with.
    @param mounts: further resources by the beginnings of their paths.
    @param new_threads: makes the threads for database and files.
    @ivar root_url: once it listens.
    @ivar port: at which it listens, whatever the root URL says.
    @ivar root_credentials: of the client who may do everything, once it listens.
    @ivar outbox: where everything that happens is told.
    """

    root_credentials: Credentials
    port: int

    def __init__(
        self,
        reactor: IServerReactor,
        folder: str,
        settings: TaskclusterSettings = DEFAULTS,
        *,
        mounts: Mapping[str, IResource] = NO_MOUNTS,
        new_threads: Callable[[IReactorThreads, int, str], Threads] = Threads,
    ) -> None:
        self._reactor = reactor
        self._folder = DataFolder(folder)
        self._settings = settings
        self._mounts = mounts
        self._new_threads = partial(new_threads, reactor)
        self.root_url = ""
        self._hosts = Hosts()
        self.outbox = Outbox()
        self._pulse = None if settings.pulse is None else Pulse(reactor, settings.pulse, self.outbox)
        self._services: Services | None = None
        self._starting: Deferred[None] | None = None
        self._listening: OneShot[str] = OneShot()
        self._ending_polls = Loose(Logger())
        self._closers: list[Callable[[], Awaitable[Any] | None]] = []

    def when_listening(self) -> Deferred[str]:
        """Fire with the root URL once it can be called.

        Fails with L{DataUnusable} if there is something wrong with the folder, and with what Twisted says of a port
        that cannot be had (C{CannotListenError}).
        """
        return self._listening.wait()

    def startService(self) -> None:
        super().startService()
        self._starting = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        """Answer those who wait, close every connection and the database."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def end_polls(self) -> None:
        """Answer every claimWork that waits with an empty list, now."""
        assert self._services is not None
        self._services.queue.polls.end()

    @property
    def worker_manager(self) -> WorkerManagerService:
        """What does for pools, beside its calls, what clouds would do; once it listens."""
        assert self._services is not None
        return self._services.worker_manager

    def end_polls_until(self, happened: Deferred[T]) -> Deferred[T]:
        """End polls again and again until something happened; gives that back.

        A worker that stops waits for its claimWork, which would take all of its time.
        """
        ending = LoopingCall(self.end_polls)
        ending.clock = self._reactor
        self._ending_polls.run(ending.start(END_POLLS_EVERY), "ending polls")

        def ended(result: T | Failure) -> T | Failure:
            # It stops by itself at a fault.
            if ending.running:
                ending.stop()
            return result

        return happened.addBoth(ended)

    async def _start(self) -> None:
        try:
            await self._open()
        except Exception:
            failure = Failure()
            await self._close()
            self._listening.settle(failure)

    async def _stop(self) -> None:
        if self._starting is not None:
            await self._starting
        await self._close()

    async def _close(self) -> None:
        while self._closers:
            await maybeDeferred(self._closers.pop())

    async def _open(self) -> None:
        """Take the folder, make the services on it, and listen."""
        self._closers.append(self._folder.take())
        database = await self._open_database()
        self._folder.make()
        self.root_credentials = self._settings.root()
        threads = self._new_threads(FILE_THREADS, "files")
        self._closers.append(threads.stop)
        if self._pulse is not None:
            # There before the first event, and until all have had their last.
            self._closers.append(self._pulse.stopService)
            self._pulse.startService()
        ground = await self._ground(database, threads)
        self._closers.append(ground.contents.wait)
        services = self._services = make_services(
            ground, self._static_clients(ground), self._settings.tunnel_secret, self._settings.proof_keys
        )
        site = self._site(services, StorageResource(ground.contents, ground.addresses), threads)
        await services.start()
        self.root_url = ground.addresses.root_url = self._hosts.root_url = self._listen(site)
        self._listening.succeed(self.root_url)

    async def _open_database(self) -> Database:
        path = None if self._settings.in_memory else self._folder.database
        database = await Database.open(self._new_threads, path, SCHEMA)
        self._closers.append(database.close)
        return database

    async def _ground(self, database: Database, threads: Threads) -> Ground:
        key, secret = [await database.run(keep_key, name, new_token()) for name in (SERVER_CLIENT, "addresses")]
        server = Credentials(SERVER_CLIENT, key)
        return Ground(
            clock=self._reactor,
            times=self._settings.times,
            database=database,
            heartbeat=Heartbeat(self._reactor),
            contents=Contents(self._folder.artifacts, database, threads),
            addresses=Addresses(self._reactor, secret),
            outbox=self.outbox,
            server_credentials=server,
            issue=partial(issue, server),
            threads=threads,
        )

    def _static_clients(self, ground: Ground) -> Sequence[StaticClient]:
        return [
            *self._settings.static_clients,
            *(
                StaticClient(one.client_id, one.access_token, ["*"], "May do everything.")
                for one in (self.root_credentials, ground.server_credentials)
            ),
        ]

    def _site(self, services: Services, stored: StorageResource, threads: Threads) -> EmbeddedSite:
        apis = [service.api for service in services.every]
        calls = ApiResource(self._reactor, services.authenticator, apis, threads)
        admission = Admission(self._hosts, calls, stored)
        root = RootResource(calls, PageResource(), {addresses.PREFIX: stored, **self._mounts}, self._reactor)
        site = EmbeddedSite(HostGuard(self._hosts, root), self._folder.uploads, self._reactor, admission.room)

        async def close() -> None:
            # First those who wait get their answers, then the connections go that carry them.
            await services.stop()
            await calls.end(PATIENCE)
            await site.close_connections()
            await stored.end(self._reactor, PATIENCE)

        self._closers.append(close)
        return site

    def _listen(self, site: EmbeddedSite) -> str:
        """Take calls from now on; gives the root URL."""
        factory: ServerFactory[Any] = site
        port = self._reactor.listenTCP(self._settings.port, factory, interface=self._settings.interface)
        self._closers.append(port.stopListening)
        address = port.getHost()
        assert isinstance(address, IPv4Address | IPv6Address)
        self.port = address.port
        return self._settings.url(self.port)
