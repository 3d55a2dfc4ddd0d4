"""The Taskcluster inside: the service that puts all others on one port."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import slugid
from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTCP, IReactorThreads, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from tcworker import folder_lock
from tcworker.embedded import storage
from tcworker.embedded.api import ApiResource
from tcworker.embedded.auth.certificates import issue
from tcworker.embedded.auth.clients import StaticClient
from tcworker.embedded.contents import Contents
from tcworker.embedded.database import Database, keep_key
from tcworker.embedded.database_file import DataUnusable
from tcworker.embedded.ground import Ground
from tcworker.embedded.heartbeat import Heartbeat
from tcworker.embedded.outbox import Outbox
from tcworker.embedded.page.hosts import HostGuard, Hosts
from tcworker.embedded.page.resource import PageResource
from tcworker.embedded.pulse.service import Pulse
from tcworker.embedded.services import SCHEMA, Services, make_services
from tcworker.embedded.site import EmbeddedSite
from tcworker.embedded.storage import Addresses, StorageResource
from tcworker.embedded.times import Times
from tcworker.embedded.worker_manager.proofs import NO_KEYS, ProofKeys
from tcworker.embedded.worker_manager.service import WorkerManagerService
from tcworker.folder_lock import FolderTaken
from tcworker.interfaces import Credentials
from tcworker.waiting import OneShot, Threads

__all__ = ["Taskcluster", "Times"]

T = TypeVar("T")

ROOT_CLIENT = "static/taskcluster/root"
SERVER_CLIENT = "static/taskcluster/server"
DATABASE = "taskcluster.db"
FILE_THREADS = 4
END_POLLS_EVERY = 0.05
REAL_TIMES = Times()
NO_MOUNTS: Mapping[str, IResource] = {}


class IServerReactor(IReactorTCP, IReactorTime, IReactorThreads):
    """What a server needs of a reactor."""


class Taskcluster(Service):
    """A Taskcluster in one process.

    @param folder: for database and artifacts; made when it is not there. What is in it is gone on with.
    @param port: 0 for any that is free.
    @param host: the name or address by which clients call this machine; C{interface} unless given.
    @param mounts: further resources by the beginnings of their paths.
    @param root: the client who may do everything; one with a new access token when C{None}.
    @param static_clients: more who are there from the start, see L{tcworker.embedded.auth.static_file}.
    @param tunnel_secret: what tokens of websocktunnel are signed with; one of its own when C{None}.
    @param proof_keys: by what machines of clouds are known that register as workers; such clouds are not there
        without any.
    @param pulse: the AMQP URL of a broker that is told everything that happens; L{ConfigError} for one that cannot be.
    @param in_memory: whether the database is not to be kept; the contents of artifacts are files all the same.
    @param new_threads: makes the threads for database and files.
    @ivar root_url: once it listens.
    @ivar root_credentials: of the client who may do everything.
    @ivar outbox: where everything that happens is told.
    """

    def __init__(
        self,
        reactor: IServerReactor,
        folder: str,
        *,
        interface: str = "127.0.0.1",
        port: int = 0,
        host: str | None = None,
        mounts: Mapping[str, IResource] = NO_MOUNTS,
        times: Times = REAL_TIMES,
        root: Credentials | None = None,
        static_clients: Sequence[StaticClient] = (),
        tunnel_secret: str | None = None,
        proof_keys: ProofKeys = NO_KEYS,
        pulse: str | None = None,
        in_memory: bool = False,
        new_threads: Callable[[IReactorThreads, int, str], Threads] = Threads,
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._interface = interface
        self._port_number = port
        self._host = host or interface
        self._mounts = mounts
        self._times = times
        self._in_memory = in_memory
        self._new_threads = partial(new_threads, reactor)
        self.root_credentials = root or Credentials(ROOT_CLIENT, _new_key())
        self._static_clients = static_clients
        self._tunnel_secret = tunnel_secret
        self._proof_keys = proof_keys
        self.root_url = ""
        self._hosts = Hosts()
        self.outbox = Outbox()
        self._pulse = None if pulse is None else Pulse(reactor, pulse, self.outbox)
        self._services: Services | None = None
        self._starting: Deferred[None] | None = None
        self._listening: OneShot[str] = OneShot()
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
        ending.start(END_POLLS_EVERY)

        def ended(result: T | Failure) -> T | Failure:
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
        """Open the folder, make the services on it, and listen."""
        artifacts, spool = self._take_folder()
        threads = self._new_threads(FILE_THREADS, "files")
        self._closers.append(threads.stop)
        path = None if self._in_memory else os.path.join(self._folder, DATABASE)
        database = await Database.open(self._new_threads, path, SCHEMA)
        self._closers.append(database.close)
        if self._pulse is not None:
            # There before the first event, and until all have had their last.
            self._closers.append(self._pulse.stopService)
            self._pulse.startService()
        ground = await self._ground(database, threads, artifacts)
        services = self._services = make_services(
            ground, self._all_static_clients(ground), self._tunnel_secret, self._proof_keys
        )
        site = self._site(services, StorageResource(ground.contents, ground.addresses), spool, threads)
        await services.start()
        self.root_url = ground.addresses.root_url = self._hosts.root_url = self._listen(site)
        self._listening.succeed(self.root_url)

    async def _ground(self, database: Database, threads: Threads, artifacts: str) -> Ground:
        key, secret = [await database.run(keep_key, name, _new_key()) for name in (SERVER_CLIENT, "addresses")]
        server = Credentials(SERVER_CLIENT, key)
        return Ground(
            clock=self._reactor,
            times=self._times,
            database=database,
            heartbeat=Heartbeat(self._reactor),
            contents=Contents(artifacts, database, threads),
            addresses=Addresses(self._reactor, secret),
            outbox=self.outbox,
            server=server,
            issue=partial(issue, server),
            threads=threads,
        )

    def _all_static_clients(self, ground: Ground) -> Sequence[StaticClient]:
        return [
            *self._static_clients,
            *(
                StaticClient(one.client_id, one.access_token, ["*"], "May do everything.")
                for one in (self.root_credentials, ground.server)
            ),
        ]

    def _take_folder(self) -> tuple[str, str]:
        """Make the folder what it must be; gives where artifacts are, and those that are not whole yet."""
        try:
            return self._make_folders()
        except FolderTaken as taken:
            raise DataUnusable(f"{taken}: stop that one, or name another folder") from None
        except OSError as error:
            raise DataUnusable(f"{self._folder} cannot be used: {error}") from error

    def _make_folders(self) -> tuple[str, str]:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._closers.append(partial(os.close, folder_lock.take(self._folder)))
        artifacts, spool = (os.path.join(self._folder, name) for name in ("artifacts", "uploads"))
        for folder in (artifacts, spool):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        # Uploads that an earlier process did not finish.
        for left in os.scandir(spool):
            os.unlink(left)
        return artifacts, spool

    def _site(self, services: Services, stored: StorageResource, spool: str, threads: Threads) -> EmbeddedSite:
        apis = [service.api for service in services.every]
        calls = ApiResource(self._reactor, services.authenticator, apis, threads)
        root = _Root(calls, PageResource(), {storage.PREFIX: stored, **self._mounts})
        site = EmbeddedSite(HostGuard(self._hosts, root), spool, self._reactor, stored.welcomes)

        async def close() -> None:
            # First those who wait get their answers, then the connections go that carry them.
            await services.stop()
            await calls.wait()
            await site.close_connections()
            await stored.wait()

        self._closers.append(close)
        return site

    def _listen(self, site: EmbeddedSite) -> str:
        """Take calls from now on; gives the root URL."""
        factory: ServerFactory[Any] = site
        port = self._reactor.listenTCP(self._port_number, factory, interface=self._interface)
        self._closers.append(port.stopListening)
        address = port.getHost()
        assert isinstance(address, IPv4Address | IPv6Address)
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{address.port}"


class _Root(Resource):
    """The one place where paths divide, on the raw path.

    @param page: answers at the root itself, and has files of its own.
    @param mounts: who answers, by the beginning of the path; C{calls} answers all else.
    """

    isLeaf = True

    def __init__(self, calls: IResource, page: PageResource, mounts: Mapping[str, IResource]) -> None:
        super().__init__()
        self._calls = calls
        self._page = page
        self._mounts = [(prefix.encode(), resource) for prefix, resource in mounts.items()]

    def render(self, request: Request) -> bytes | int:
        if self._page.serves(request.path):
            return self._page.render(request)
        mounted = (resource for prefix, resource in self._mounts if request.path.startswith(prefix))
        answered: bytes | int = next(mounted, self._calls).render(request)
        return answered


def _new_key() -> str:
    return str(slugid.v4() + slugid.v4())
