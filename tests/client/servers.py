"""Servers on loopback that do to a client what real ones do."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Callable
from time import sleep
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL.SSL import Connection, Error
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

reactor: Any = real_reactor


def listen(test: TestCase, factory: Any, tls: Any = None) -> int:
    """Serve on a free port until the test is over."""
    if tls is None:
        port: IListeningPort = reactor.listenTCP(0, factory, interface="127.0.0.1")
    else:
        port = reactor.listenSSL(0, factory, tls, interface="127.0.0.1")
    test.addCleanup(port.stopListening)
    return int(port.getHost().port)


class Web(Resource):
    """Answers every request by a function of it, which returns the body or C{NOT_DONE_YET}; remembers them.

    @ivar seen: method, target, headers and body of each.
    @ivar connections: how many were opened.
    """

    isLeaf = True

    def __init__(self, answer: Callable[[Request], Any] = lambda request: b"") -> None:
        super().__init__()
        self.answer = answer
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.requests: list[Request] = []
        self.lost: list[Request] = []

    def render(self, request: Any) -> Any:
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.seen.append((request.method.decode(), request.uri.decode(), headers, request.content.read()))
        self.requests.append(request)
        request.notifyFinish().addErrback(lambda _: self.lost.append(request))
        return self.answer(request)

    def listen(self, test: TestCase, tls: Any = None) -> int:
        site = Site(self, timeout=None)
        site.log = lambda request: None
        self.site = site
        return listen(test, site, tls)


WAITING = NOT_DONE_YET


class Raw(Protocol):
    """A server that does what a test says, byte by byte.

    @ivar got: what it was sent.
    @ivar closed: fires when the connection is gone.
    """

    transport: Any

    def __init__(self, on_data: Callable[[Raw], None]) -> None:
        self.on_data = on_data
        self.got = b""
        self.closed: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.got += data
        self.on_data(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(None)


def raw(test: TestCase, on_data: Callable[[Raw], None]) -> tuple[int, list[Raw]]:
    """Serve by L{Raw}; gives the port, and the connections as they come."""
    connections: list[Raw] = []

    def build() -> Raw:
        connections.append(Raw(on_data))
        return connections[-1]

    return listen(test, Factory.forProtocol(build)), connections


def silent(test: TestCase) -> int:
    """Give a port where nobody is refused and nobody let in: its queue of connections is full."""
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    test.addCleanup(server.close)
    for _ in range(4):
        waiting = socket.socket()
        test.addCleanup(waiting.close)
        waiting.setblocking(False)
        waiting.connect_ex(server.getsockname())
    return int(server.getsockname()[1])


def stubborn(test: TestCase, tls: Any, head: bytes) -> tuple[int, Deferred[None]]:
    """Serve one connection by TLS, on and on, whatever its other side says; gives the port, and when it is reset."""
    server = socket.create_server(("127.0.0.1", 0))
    test.addCleanup(server.close)

    def serve() -> None:
        taken, _ = server.accept()
        connection = Connection(tls.getContext(), taken)
        connection.set_accept_state()
        try:
            connection.recv(4096)
            connection.sendall(head)
            while True:
                connection.sendall(b"x" * 1000)
                sleep(0.01)
        except (OSError, Error):
            taken.close()

    return int(server.getsockname()[1]), deferToThread(serve)


class ProxyServer(Protocol):
    """A small proxy: C{CONNECT}, and nothing else; every name leads to this machine.

    @ivar factory: its C{asked} keeps each request's head, its C{answer} is what it answers when it refuses.
    """

    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        self.peer: Any = None
        self.head = b""
        self.factory.open.append(self)

    def dataReceived(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.transport.write(data)
            return
        self.head += data
        if self.head.endswith(b"\r\n\r\n"):
            self.factory.asked.append(self.head.decode())
            self.connect()

    def connect(self) -> None:
        if self.factory.answer is not None:
            self.transport.write(self.factory.answer)
            self.transport.loseConnection()
            return
        port = int(self.head.split(b" ")[1].rpartition(b":")[2])
        self.transport.pauseProducing()
        connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Behind(self)).addCallback(self.begin)

    def begin(self, peer: Any) -> None:
        self.peer = peer
        self.transport.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        self.transport.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.open.remove(self)
        if self.peer is not None:
            self.peer.transport.loseConnection()


class Behind(Protocol):
    """The proxy's connection to the server."""

    def __init__(self, front: ProxyServer) -> None:
        self.front: Any = front

    def dataReceived(self, data: bytes) -> None:
        self.front.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.front.transport.loseConnection()


class ProxyFactory(Factory):
    protocol = ProxyServer

    def __init__(self, answer: bytes | None = None) -> None:
        self.asked: list[str] = []
        self.open: list[ProxyServer] = []
        self.answer = answer


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {id(self)}")])
        self._certificate = self._sign(
            self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None)
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, host: str) -> Any:
        """What a server needs to be that host."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        alternative = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = self._sign(name, key.public_key(), alternative)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        return PrivateCertificate.loadPEM(public + secret).options()

    def _sign(self, name: x509.Name, key: Any, extension: x509.ExtensionType) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )
