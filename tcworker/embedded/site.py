"""The HTTP server underneath: no access log, connections that it can close, large bodies beside the artifacts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import IO, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from tcworker.embedded import incoming
from tcworker.embedded.payload import BODY_LIMIT
from tcworker.waiting import OneShot

KEEP_ALIVE = 90
IN_MEMORY = 100_000
LINGER = 1

Welcome = Callable[[str, str, Mapping[str, str]], bool]
"""Whether a body of any length may come: by method, target and headers, whose names are in lower case."""


def _only_calls(method: str, target: str, headers: Mapping[str, str]) -> bool:
    return False


class SiteRequest(Request):
    """A request of whose body no more is kept than somebody will read: strangers must not fill the disk.

    @ivar welcome: whether a body of any length may come, as was found when it began to.
    """

    welcome = False

    def gotLength(self, length: int | None) -> None:
        """See the base; the body begins."""
        channel = cast(_Channel, self.channel)
        # The base learns both from its channel only when the body is there.
        method, target = channel._command.decode("latin-1"), channel._path.decode("latin-1")
        self.welcome = channel.site.welcome(method, target, incoming.headers(self))
        self._kept = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, and of one that is too long as much as shows it."""
        if self.welcome or self._kept <= BODY_LIMIT:
            super().handleContentChunk(data)
            self._kept += len(data)


class _Channel(HTTPChannel):
    """A connection that its server knows of."""

    site: EmbeddedSite

    def connectionMade(self) -> None:
        super().connectionMade()
        self.closed: OneShot[None] = OneShot()
        self.site.channels.add(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # the base has a default
        self.site.channels.discard(self)
        super().connectionLost(reason)
        self.closed.succeed(None)


class EmbeddedSite(Site):
    """A site whose large request bodies are spooled into a folder, so that an upload need only be linked into place.

    Twisted writes them there piece by piece as they arrive; that is the page cache's work and takes the reactor no
    longer than reading them from the socket does.

    @param welcome: who may send more than calls are made of.
    @ivar channels: the connections that are open.
    """

    protocol = _Channel  # type: ignore[assignment]  # the base has a proxy that also speaks HTTP/2

    def __init__(self, resource: IResource, spool: str, reactor: IReactorTime, welcome: Welcome = _only_calls) -> None:
        super().__init__(resource, timeout=KEEP_ALIVE, reactor=reactor)
        self.displayTracebacks = False
        self.channels: set[_Channel] = set()
        self._spool = spool
        self.welcome = welcome

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> _Channel:  # type: ignore[override]  # see protocol
        channel: _Channel = super().buildProtocol(addr)
        channel.site = self
        # The base sets both on its proxy, which is not there.
        channel.requestFactory = SiteRequest
        return channel

    def log(self, request: Request) -> None:  # type: ignore[override]  # the base means its own Request
        """Write nothing."""

    def getContentFile(self, length: int | None) -> IO[bytes]:
        """Where Twisted puts a request's body; asked by its C{Request}."""
        if length is not None and length < IN_MEMORY:
            return BytesIO()
        return tempfile.NamedTemporaryFile(dir=self._spool)

    def close_connections(self) -> Deferred[None]:
        """End every connection once what was written is sent, or after a second; fires when the last is gone."""
        closing = [channel.closed.wait() for channel in self.channels]
        for channel in list(self.channels):
            channel.loseConnection()
        hurry = self.reactor.callLater(LINGER, self._abort)

        def gone(_: object) -> None:
            if hurry.active():
                hurry.cancel()

        return DeferredList(closing).addCallback(gone)

    def _abort(self) -> None:
        for channel in list(self.channels):
            channel.forceAbortClient()
