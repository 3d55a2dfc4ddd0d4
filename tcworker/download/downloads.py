"""What all downloads of one worker share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from tcworker.client.http import HTTP
from tcworker.config import Config
from tcworker.download.servers import Servers
from tcworker.networks import Networks
from tcworker.waiting import Executor, Threads

THREADS = 4
"""For checksums and files; each of a core's speed."""


@dataclass(frozen=True)
class Downloads:
    """The ways to servers, threads, and how long it is tried.

    @ivar seconds: how long a download may go on without going forward.
    """

    servers: Servers
    threads: Executor
    clock: IReactorTime
    seconds: float


class OpenDownloads(Downloads):
    """The same with a client and threads of its own, which L{close} ends."""

    @classmethod
    def open(cls, reactor: Any, own: HTTP, config: Config, environ: Mapping[str, str]) -> OpenDownloads:
        """Make ready to download.

        @param reactor: the whole reactor.
        @param own: the worker's client, for addresses that Taskcluster gives.
        """
        denied = Networks(config.mounts_deny_networks)
        # With connections of its own: one that the worker's client made somewhere may not be used by a task's download.
        guarded = HTTP(reactor, ca_bundle=config.ca_bundle, environ=environ, denied=denied)
        threads = Threads(reactor, THREADS, "downloads")
        return cls(Servers(own, guarded), threads, reactor, config.mounts_retry_secs)

    def close(self) -> Deferred[None]:
        """End what runs, close connections and end the threads."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self.servers.guarded.close()
        assert isinstance(self.threads, Threads)
        await self.threads.stop()
