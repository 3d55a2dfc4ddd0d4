"""The HTTP server underneath: no access log, connections that it can close, and no more of them than it can serve."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from tcworker.embedded.site_request import Room, SiteRequest
from tcworker.waiting import OneShot

KEEP_ALIVE = 90
"""Seconds for which nothing may come on a connection."""

REQUEST_TIME = 300
"""Seconds in which a request must have come, however steadily it does; of uploads, nothing is known."""

LINGER = 1

Welcome = Callable[[SiteRequest, str, str], Room]
"""Says how much room there is for a request's body; given too are its method and target, which it does not know yet."""

_log = Logger()


def _nothing(request: SiteRequest, method: str, target: str) -> Room:
    return Room.NONE


def most_connections() -> int:
    """Give how many there may be: half of the files that this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2


class _Channel(HTTPChannel):
    """A connection that its server knows of."""

    site: EmbeddedSite
    _hurry: IDelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.closed: OneShot[None] = OneShot()
        self.site.channels.add(self)

    def dataReceived(self, data: bytes) -> None:
        if self._hurry is None and not self.requests:
            self._hurry = self.site.reactor.callLater(REQUEST_TIME, self._time_out)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        super().allHeadersReceived()
        if self.requests[-1].room is Room.UPLOAD:
            self._relax()

    def allContentReceived(self) -> None:
        self._relax()
        super().allContentReceived()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # the base has a default
        self._relax()
        self.site.channels.discard(self)
        super().connectionLost(reason)
        self.closed.succeed(None)

    def _time_out(self) -> None:
        self._hurry = None
        self.timeoutConnection()

    def _relax(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None


class EmbeddedSite(Site):
    """A site whose large request bodies are spooled into a folder, so that an upload need only be linked into place.

    Twisted writes them there piece by piece as they arrive; that is the page cache's work and takes the reactor no
    longer than reading them from the socket does.

    @param welcome: who may send how much; nobody anything unless given.
    @ivar channels: the connections that are open.
    @ivar spool: the folder.
    """

    protocol = _Channel  # type: ignore[assignment]  # the base has a proxy that also speaks HTTP/2
    noisy = False

    def __init__(self, resource: IResource, spool: str, reactor: IReactorTime, welcome: Welcome = _nothing) -> None:
        super().__init__(resource, timeout=KEEP_ALIVE, reactor=reactor)
        self.displayTracebacks = False
        self.channels: set[_Channel] = set()
        self.spool = spool
        self.welcome = welcome
        self._most = most_connections()
        self._full = False

    def buildProtocol(self, addr: IAddress | None) -> _Channel | None:  # type: ignore[override]  # see protocol
        if self._is_full():
            return None
        channel: _Channel = super().buildProtocol(addr)
        channel.site = self
        # The base sets both on its proxy, which is not there.
        channel.requestFactory = SiteRequest
        return channel

    def _is_full(self) -> bool:
        full = len(self.channels) >= self._most
        if full and not self._full:
            _log.warn(
                "{most} connections are open: until some of them end, all others are refused."
                " A higher limit of open files (ulimit -n) allows more.",
                most=self._most,
            )
        # Told again when it has been half empty in between.
        self._full = full or (self._full and len(self.channels) > self._most // 2)
        return full

    def log(self, request: Request) -> None:  # type: ignore[override]  # the base means its own Request
        """Write nothing."""

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
