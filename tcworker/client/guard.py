"""Keeps connections out of networks that an operator denies, whatever names lead there."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IConnector,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import directlyProvides, implementer

from tcworker.networks import KNOWN_NAMES, Networks


class InDeniedNetwork(ConnectError):
    """A connection that is not made, because of where it would lead, or may; C{words} say where."""

    def __init__(self, address: str, why: str = "is in a network that this worker's configuration denies") -> None:
        self.words = f"{address} {why}"
        super().__init__(string=self.words)


class GuardedReactor:
    """A reactor, as far as endpoints of host names need it, that connects to no address of some networks.

    The address is checked where the connection is made, so that a name that means something else each time it is
    looked up leads nowhere else.
    """

    def __init__(self, reactor: Any, denied: Networks) -> None:
        self._reactor = reactor
        self._denied = denied
        # Not more of a reactor than endpoints ask for.
        directlyProvides(self, IReactorPluggableNameResolver)

    @property
    def nameResolver(self) -> IHostnameResolver:
        """The reactor's own."""
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver

    def connectTCP(self, host: str, port: int, *args: Any, **options: Any) -> IConnector:
        """Connect to an address; raises L{InDeniedNetwork}."""
        if self._denied.have(host):
            raise InDeniedNetwork(host)
        connector: IConnector = self._reactor.connectTCP(host, port, *args, **options)
        return connector

    def seconds(self) -> float:
        """The reactor's own."""
        now: float = self._reactor.seconds()
        return now

    def callLater(self, *args: Any, **options: Any) -> IDelayedCall:
        """The reactor's own."""
        call: IDelayedCall = self._reactor.callLater(*args, **options)
        return call

    async def check(self, host: str) -> None:
        """See whether a host to which a proxy connects is denied, as far as that can be told here.

        Raises L{InDeniedNetwork}. A name that only the proxy knows is let through.
        """
        # Some proxies decode what nobody who speaks HTTP would encode.
        if "%" in host:
            raise InDeniedNetwork(host, "is no host that a proxy may be asked for, with networks that are denied")
        known = KNOWN_NAMES.get(host.rstrip(".").lower(), host)
        for address in (known, *await _resolve(self.nameResolver, host)):
            if self._denied.have(address):
                raise InDeniedNetwork(address)


def _resolve(resolver: IHostnameResolver, host: str) -> Deferred[list[str]]:
    addresses = _Addresses()
    resolver.resolveHostName(addresses, host)
    return addresses.complete


@implementer(IResolutionReceiver)
class _Addresses:
    """Those of a host, none when it cannot be resolved."""

    def __init__(self) -> None:
        # A look-up goes on in its thread when nobody waits for it any more: those of Twisted cannot be cancelled.
        self.complete: Deferred[list[str]] = Deferred(lambda _: None)
        self._found: list[str] = []

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """Called first; there is nothing that it would be good for."""

    def addressResolved(self, address: Any) -> None:
        self._found.append(address.host)

    def resolutionComplete(self) -> None:
        if not self.complete.called:
            self.complete.callback(self._found)
