"""Connections to servers: whom to trust, through which proxy, and what an upload must know about its own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProducer, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, BrowserLikePolicyForHTTPS, HostnameCachingHTTPSPolicy
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from tcworker.client.bodies import Upload
from tcworker.client.connect import TunnelEndpoint
from tcworker.client.proxies import Proxies, Proxy
from tcworker.errors import ConfigError, Fault
from tcworker.waiting import OneShot

CONNECT_SECONDS = 30.0

MOST_HEAD = 64 * 1024
"""Bytes of what may come before an answer's body, interim answers included."""

_AT_REST = "QUIESCENT"
"""What Twisted's client calls a connection on which no answer is awaited."""

_NO_END = "the answer has more headers than any server needs"


class HeadTooLong(Exception):
    """What comes before an answer's body is longer than any server needs."""


def whom_to_trust(ca_bundle: str | None) -> IPolicyForHTTPS:
    """The certificates that a server's must come from: those of a PEM file, or the system's.

    Raises L{ConfigError} for a file that has none.
    """
    root = None if ca_bundle is None else trustRootFromCertificates(_load(ca_bundle))
    return HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS(root))


def _load(ca_bundle: str) -> list[Certificate]:
    try:
        certificates = load_pem_x509_certificates(Path(ca_bundle).read_bytes())
    except (OSError, ValueError) as error:
        fault = Fault("caBundle", f"{ca_bundle}: {error}", "a file with certificates in PEM format")
        raise ConfigError([fault]) from error
    return [Certificate.loadPEM(certificate.public_bytes(Encoding.PEM)) for certificate in certificates]


@implementer(IAgentEndpointFactory)
class Network:
    """Knows the way to each server.

    @param reactor: anything that endpoints of host names can connect with.
    @param guarded: the same for connections to servers themselves, which are not to be led everywhere.
    """

    def __init__(self, reactor: Any, trust: IPolicyForHTTPS, proxies: Proxies, guarded: Any) -> None:
        self._reactor = reactor
        self._guarded = guarded
        self._trust = trust
        self._proxies = proxies
        # A TLS context is costly to make, and a worker talks to few servers.
        self._endpoint = lru_cache(maxsize=64)(self._make_endpoint)
        self._open: set[_Watched] = set()

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The way to a server, with TLS up to the server itself for https."""
        return self._endpoint(uri.scheme, uri.host, uri.port)

    def endpoint_for_proxy(self, proxy: Proxy) -> IStreamClientEndpoint:
        """The way to a proxy that is asked for whole addresses, as is the custom for http."""
        return WatchedEndpoint(self._to_proxy(proxy), self._open)

    async def close(self) -> None:
        """Close every connection; to be called when nobody makes new ones."""
        # A server that never closes its side must not keep a worker from stopping.
        lost = [connection.abort() for connection in self._open]
        await DeferredList(lost)

    def _make_endpoint(self, scheme: bytes, host: bytes, port: int) -> IStreamClientEndpoint:
        endpoint = self._to_host(scheme.decode("ascii"), host.decode("ascii"), port)
        if scheme == b"https":
            endpoint = wrapClientTLS(self._trust.creatorForNetloc(host, port), endpoint)
        return WatchedEndpoint(endpoint, self._open)

    def _to_host(self, scheme: str, host: str, port: int) -> IStreamClientEndpoint:
        # Requests by http do not come here when there is a proxy: it is given whole addresses.
        proxy = self._proxies.find(scheme, host, port) if scheme == "https" else None
        if proxy is None:
            return self._direct(self._guarded, host, port)
        return TunnelEndpoint(self._to_proxy(proxy), proxy, host, port)

    def _to_proxy(self, proxy: Proxy) -> IStreamClientEndpoint:
        endpoint = self._direct(self._reactor, proxy.host, proxy.port)
        if not proxy.secure:
            return endpoint
        return wrapClientTLS(self._trust.creatorForNetloc(proxy.host.encode("ascii"), proxy.port), endpoint)

    def _direct(self, reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
        return HostnameEndpoint(reactor, host, port, timeout=CONNECT_SECONDS)


class _Watched(ProtocolWrapper):
    """A connection whose upload learns that the answer has begun while it is still sending.

    Twisted's parser holds the connection back at the end of an answer's headers, and tells of them only when the whole
    request is sent. That pause is the sign: the upload pauses in its stead, so that the answer is read to its end.
    """

    _upload: Upload | None = None
    _head: int | None = 0
    """Bytes of an answer's head so far; C{None} while a body comes."""

    def __init__(self, factory: _WatchedFactory, inner: IProtocol) -> None:
        super().__init__(factory, inner)
        self._lost: OneShot[None] = OneShot()

    def abort(self) -> Deferred[None]:
        """Close the connection at once; fires when it is closed."""
        self.abortConnection()
        return self._lost.wait()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Aborted by us: without a reason that says why, nobody could tell.
        super().connectionLost(Failure(HeadTooLong(_NO_END)) if self._is_too_long else reason)
        self._lost.succeed(None)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Called with a request's head, and with nothing else."""
        self._head = 0
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        # The parser limits the length of a header, and keeps as many as come: a server could fill the memory.
        if self._head is not None:
            self._head += len(data)
            if self._is_too_long:
                self.abortConnection()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if isinstance(producer, Upload):
            self._upload = producer
            producer.connection = self
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._upload = None
        super().unregisterProducer()

    def pauseProducing(self) -> None:
        """Called by the parser."""
        self._head = None
        # Pausing the transport would leave the rest of the server's answer unread, for ever.
        held = self._inner if self._upload is None else self._upload
        held.pauseProducing()

    def loseConnection(self) -> None:
        """Called by the client at the end of an answer, and before it by whoever wants no more of one."""
        # In TLS a connection is lost once the other side agrees, which may be never; what that sends comes until then.
        if getattr(self.wrappedProtocol, "state", _AT_REST) == _AT_REST:
            super().loseConnection()
        else:
            self.abortConnection()

    def abortConnection(self) -> None:
        """Close the connection without sending what still waits."""
        self._inner.abortConnection()

    @property
    def _is_too_long(self) -> bool:
        return self._head is not None and self._head > MOST_HEAD

    @property
    def _inner(self) -> Any:
        """The transport, whose interface has less than every real one."""
        return self.transport


class _WatchedFactory(WrappingFactory[_Watched]):
    protocol = _Watched
    noisy = False

    def __init__(self, factory: IProtocolFactory, opened: set[_Watched]) -> None:
        super().__init__(factory)
        self._opened = opened

    def registerProtocol(self, connection: _Watched) -> None:
        self._opened.add(connection)

    def unregisterProtocol(self, connection: _Watched) -> None:
        self._opened.discard(connection)


@implementer(IStreamClientEndpoint)
class WatchedEndpoint:
    """An endpoint whose connections are watched for early answers, and kept in a set while they are open."""

    def __init__(self, endpoint: IStreamClientEndpoint, opened: set[_Watched]) -> None:
        self._endpoint = endpoint
        self._opened = opened

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting: Deferred[Any] = self._endpoint.connect(_WatchedFactory(factory, self._opened))
        return connecting.addCallback(lambda watched: watched.wrappedProtocol)
