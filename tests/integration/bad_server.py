"""An HTTP server on loopback that misbehaves on demand, each path in its own way."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from twisted.internet import reactor as real_reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

reactor: Any = real_reactor


@dataclass(frozen=True)
class Asked:
    """A request: its method, path with query, and headers by their names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def offset(self) -> int | None:
        """Where the part begins that it asks for, C{None} if it asks for all."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return None if found is None else int(found[1])


class Wire(Protocol):
    """One connection, for one request."""

    transport: Any
    factory: BadServer

    def connectionMade(self) -> None:
        self._got = b""
        self.factory.open.append(self)

    def dataReceived(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(b"\r\n\r\n"):
            asked = _read(self._got)
            self.factory.asked.append(asked)
            self.factory.behaviour(asked.path)(self, asked)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.open.remove(self)

    def head(self, status: int, length: int | None, headers: Mapping[str, str] = {}) -> None:
        """Send what comes before a body."""
        every = {"Connection": "close", **({} if length is None else {"Content-Length": str(length)}), **headers}
        lines = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in every.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1"))

    def send(self, data: bytes) -> None:
        """Send a piece of a body."""
        self.transport.write(data)

    def close(self) -> None:
        """Close the connection once all is sent."""
        self.transport.loseConnection()


Behaviour: TypeAlias = Callable[[Wire, Asked], None]


class BadServer(Factory):
    """The server.

    @ivar root: its address.
    @ivar asked: all requests so far.
    @ivar open: connections that are open.
    """

    protocol: Any = Wire
    noisy = False

    def __init__(self) -> None:
        self.root = ""
        self.asked: list[Asked] = []
        self.open: list[Wire] = []
        self._behaviours: dict[str, list[Behaviour]] = {}

    @classmethod
    def started(cls, test: TestCase) -> BadServer:
        """One that listens until a test is over."""
        server = cls()
        port: Any = reactor.listenTCP(0, server, interface="127.0.0.1")
        server.root = f"http://127.0.0.1:{port.getHost().port}"
        test.addCleanup(port.stopListening)
        test.addCleanup(server.drop)
        return server

    def serve(self, path: str, *behaviours: Behaviour) -> str:
        """Answer requests for a path in these ways, one after the other, the last one for ever; gives the address."""
        self._behaviours[path] = list(behaviours)
        return f"{self.root}{path}"

    def behaviour(self, path: str) -> Behaviour:
        """What comes next at a path."""
        waiting = self._behaviours.get(path.partition("?")[0], [status(404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def gets(self, path: str) -> list[Asked]:
        """The requests for the content of a path."""
        return [asked for asked in self.asked if asked.method == "GET" and asked.path == path]

    def drop(self) -> None:
        """Close all connections."""
        for wire in list(self.open):
            wire.transport.abortConnection()


def status(code: int, headers: Mapping[str, str] = {}) -> Behaviour:
    """An answer that is no content, with a page that says so."""

    def answer(wire: Wire, asked: Asked) -> None:
        page = b"" if asked.method == "HEAD" else b"<h1>This is not what you want</h1>"
        wire.head(code, len(page), headers)
        wire.send(page)
        wire.close()

    return answer


def redirect(url: str, code: int = 302) -> Behaviour:
    """Lead elsewhere."""
    return status(code, {"Location": url})


def content(data: bytes, etag: str = '"one"', headers: Mapping[str, str] = {}, *, cut: int | None = None) -> Behaviour:
    """Behave, parts included.

    @param etag: empty for a server that has none.
    @param cut: how many bytes are sent before the connection is closed.
    """

    def answer(wire: Wire, asked: Asked) -> None:
        said = {**({"ETag": etag} if etag else {}), **headers}
        offset = asked.offset if etag and asked.headers.get("if-range", etag) == etag else None
        body = data[offset or 0 :]
        if offset is not None:
            said["Content-Range"] = f"bytes {offset}-{len(data) - 1}/{len(data)}"
        wire.head(200 if offset is None else 206, len(body), said)
        wire.send(b"" if asked.method == "HEAD" else body[:cut])
        wire.close()

    return answer


def zipped(data: bytes, etag: str = '"zipped"', *, cut: int | None = None) -> Behaviour:
    """Behave, with what is stored compressed."""
    return content(gzip.compress(data, mtime=0), etag, {"Content-Encoding": "gzip"}, cut=cut)


def more(data: bytes, beyond: bytes) -> Behaviour:
    """Send more than is promised."""

    def answer(wire: Wire, asked: Asked) -> None:
        wire.head(200, len(data))
        wire.send(data + beyond)
        wire.close()

    return answer


def unframed(data: bytes) -> Behaviour:
    """Say nothing of the length, and close the connection at the end."""

    def answer(wire: Wire, asked: Asked) -> None:
        wire.head(200, None)
        wire.send(data)
        wire.close()

    return answer


def wrong_part(data: bytes, said: str, etag: str = '"one"') -> Behaviour:
    """Answer with a part, whatever is asked for."""

    def answer(wire: Wire, asked: Asked) -> None:
        wire.head(206, len(data), {"Content-Range": said, "ETag": etag})
        wire.send(data)
        wire.close()

    return answer


def hang(begun: bytes = b"", promised: int | None = None) -> Behaviour:
    """Say nothing at all, or nothing more after the beginning of a body."""

    def answer(wire: Wire, asked: Asked) -> None:
        if promised is not None:
            wire.head(200, promised, {"ETag": '"one"'})
            wire.send(begun)

    return answer


def slow(data: bytes, piece: int, seconds: float) -> Behaviour:
    """Behave, with a pause between two pieces."""

    def answer(wire: Wire, asked: Asked) -> None:
        wire.head(200, len(data), {"ETag": '"one"'})
        _drip(wire, data, piece, seconds)

    return answer


def babble(wire: Wire, asked: Asked) -> None:
    """Speak another protocol."""
    wire.send(b"220 mail.example.com ESMTP\r\n")
    wire.close()


def reset(wire: Wire, asked: Asked) -> None:
    """Close the connection without a word."""
    wire.transport.abortConnection()


def _drip(wire: Wire, data: bytes, piece: int, seconds: float) -> None:
    if wire not in wire.factory.open:
        return
    wire.send(data[:piece])
    if data[piece:]:
        reactor.callLater(seconds, _drip, wire, data[piece:], piece, seconds)
    else:
        wire.close()


def _read(head: bytes) -> Asked:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(": ") for line in lines if line)
    return Asked(method, path, {name.lower(): value for name, _, value in pairs})
