"""A Taskcluster and a worker of it, in one process and one folder."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tcworker.assemble import new_worker
from tcworker.embedded.auth.clients import StaticClient
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.interfaces import Credentials
from tcworker.server.live_feature import LiveLogFeature
from tcworker.server.live_logs import PREFIX, LiveLogs
from tcworker.server.options import ServerOptions
from tcworker.server.place import Place
from tcworker.server.worker import new_client, settings
from tcworker.worker import Worker


class Deployment:
    """All that a server consists of. Raises L{ConfigError} for a broker's URL that cannot be.

    @param credentials: of the client who may do everything.
    @param clients: further ones.
    @param folder: an existing one.
    @ivar worker: once L{start_worker} was called.
    """

    worker: Worker | None = None

    def __init__(
        self,
        reactor: Any,
        options: ServerOptions,
        place: Place,
        credentials: Credentials,
        clients: Sequence[StaticClient],
        folder: str,
    ) -> None:
        self._reactor = reactor
        self._options = options
        self._client = new_client(options.pool)
        self._folder = os.path.join(folder, "worker")
        self._logs = LiveLogs(self._folder, reactor)
        self._taskcluster = Taskcluster(
            reactor,
            folder,
            interface=place.interface,
            host=place.name,
            port=options.port,
            mounts={PREFIX: self._logs},
            root=credentials,
            static_clients=[*clients, *([self._client] if options.worker else [])],
            pulse=options.pulse,
        )
        self._closers: list[Callable[[], Awaitable[None]]] = []

    async def start(self) -> str:
        """Start the Taskcluster, and give its root URL. Raises what L{Taskcluster.when_listening} fails with."""
        # Before it starts, so that one that fails halfway is stopped too; likewise below.
        self._closers.append(self._taskcluster.stopService)
        self._taskcluster.startService()
        return await self._taskcluster.when_listening()

    def start_worker(self) -> Worker:
        """Make a worker and let it claim. Raises L{ConfigError} for its settings."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        sources = settings(self._options, self._folder, self._taskcluster.root_url, self._client)
        features = [LiveLogFeature(self._logs, self._taskcluster.root_url)]
        self.worker = new_worker(self._reactor, sources, features)
        self._closers.append(self._stop_worker)
        self.worker.startService()
        return self.worker

    def hurry(self, seconds: float) -> None:
        """Let running tasks have no more than so many seconds, if the end of the server has begun."""
        if self.worker is not None:
            self.worker.stop_now(seconds, "asked twice")

    async def stop(self) -> None:
        """End running tasks, which stay in the queue for the next worker, and then everything else."""
        while self._closers:
            await self._closers.pop()()

    async def _stop_worker(self) -> None:
        assert self.worker is not None
        self.worker.stop_now(None, "the server ends")
        # Why it could not start was told to those who waited for it.
        await self._taskcluster.end_polls_until(self.worker.when_stopped()).addErrback(lambda _: None)
        await self.worker.stopService()
        self._logs.stop()
