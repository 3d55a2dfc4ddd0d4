"""The way through a proxy to a server that is spoken to in TLS: HTTP's C{CONNECT}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.client.proxies import Proxy

_MOST_HEAD = 16384


class ProxyRefused(ConnectError):
    """The proxy does not lead to the server; the text says what it answered."""


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """A connection to a server through a proxy, which does not see what goes through it.

    @param endpoint: leads to the proxy.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, proxy: Proxy, host: str, port: int) -> None:
        self._endpoint = endpoint
        # An IPv6 address has colons of its own.
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = "".join(f"{name}: {value}\r\n" for name, value in {"Host": target, **proxy.headers}.items())
        self._request = f"CONNECT {target} HTTP/1.1\r\n{headers}\r\n".encode("ascii")

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        tunnels = Factory.forProtocol(_Tunnel)
        tunnels.noisy = False
        tunnel = await self._endpoint.connect(tunnels)
        assert isinstance(tunnel, _Tunnel)
        return await tunnel.open(self._request, factory)


class _Tunnel(Protocol):
    """Asks the proxy, and once that agrees passes everything on to the protocol for which it is there."""

    def __init__(self) -> None:
        self._head = b""
        self._inner: IProtocol | None = None
        self._opened: Deferred[IProtocol] = Deferred(lambda _: self._abort())

    def open(self, request: bytes, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Ask the proxy; fires with the factory's protocol when that is connected to the server."""
        self._factory = factory
        assert self.transport is not None
        self.transport.write(request)
        return self._opened

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._answered(head, rest)
        # Whoever poses as a proxy could fill the memory.
        elif len(self._head) > _MOST_HEAD:
            self._refused("the proxy's answer has no end")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        else:
            self._refused("the proxy closed the connection")

    def _answered(self, head: bytes, rest: bytes) -> None:
        line = head.split(b"\r\n")[0].decode("ascii", "replace")
        version, _, status = line.partition(" ")
        if not (version.startswith("HTTP/1.") and status[:1] == "2"):
            self._refused(f"the proxy answered {line!r}")
            return
        assert self.transport is not None
        inner = self._inner = self._factory.buildProtocol(self.transport.getPeer())
        assert inner is not None
        inner.makeConnection(self.transport)
        self._opened.callback(inner)
        # Nothing is lost, should the server be heard together with the proxy.
        if rest:
            inner.dataReceived(rest)

    def _refused(self, why: str) -> None:
        # The connection is lost also after a refusal, and after somebody gave up.
        if not self._opened.called:
            self._opened.errback(ProxyRefused(string=why))
        self._abort()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]  # of every TCP and TLS transport
