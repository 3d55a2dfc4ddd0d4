"""The contents of artifacts: files in a folder, put and got at signed addresses of our own.

An address is good for one method, one object and some time, and says so in its signature, which nobody can make who
does not have the server's key: what a bucket's presigned URLs do for a real deployment (contracts of the queue, 1.9).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, quote, unquote, urlencode

import slugid
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.static import File

from tcworker.embedded import dates
from tcworker.embedded.database import Database
from tcworker.waiting import Loose

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    key TEXT PRIMARY KEY, content_type TEXT NOT NULL, content_encoding TEXT
) WITHOUT ROWID;
"""

PREFIX = "/storage/"
PIECE = 1 << 19


class Addresses:
    """Makes addresses of objects and knows its own again.

    @ivar root_url: of the server; set once it listens.
    """

    def __init__(self, clock: IReactorTime, secret: str) -> None:
        self.root_url = ""
        self._clock = clock
        self._secret = secret.encode()

    def of(self, method: str, key: str, expires: int, content_type: str = "") -> str:
        """Give an address of an object; C{content_type} is what an upload must come with."""
        path = PREFIX + quote(key)
        query = {"expires": expires, "signature": self._sign(method, key, expires, content_type)}
        return f"{self.root_url}{path}?{urlencode(query)}"

    def permits(self, method: str, key: str, query: str, content_type: str = "") -> bool:
        """Whether an address that somebody uses is one of ours, and still good."""
        given = parse_qs(query)
        expires, signature = given.get("expires", [""])[0], given.get("signature", [""])[0]
        if not expires.isdecimal() or int(expires) < dates.now(self._clock):
            return False
        expected = self._sign(method, key, int(expires), content_type)
        return hmac.compare_digest(expected.encode(), signature.encode())

    def _sign(self, method: str, key: str, expires: int, content_type: str) -> str:
        text = "\n".join([method, key, str(expires), content_type])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class _Stored:
    """How an object is to be handed out."""

    content_type: str
    content_encoding: str | None


class _Contents(File):
    """A file handed out in large pieces: Twisted gives one a millisecond, and its own are of 64 KiB."""

    def makeProducer(self, request: Request, fileForReading: BinaryIO) -> Any:
        producer = super().makeProducer(request, fileForReading)
        producer.bufferSize = PIECE
        return producer


class StorageResource(Resource):
    """Serves C{/storage/…}.

    @param folder: where the files are.
    @param spool: on the same disk, for what is not whole yet.
    """

    isLeaf = True

    def __init__(self, folder: str, spool: str, database: Database, addresses: Addresses) -> None:
        super().__init__()
        self._folder = folder
        self._spool = spool
        self._database = database
        self._addresses = addresses
        self._log = Logger()
        self._answering = Loose(self._log)

    def render(self, request: Request) -> int:
        """Answer GET, HEAD and PUT at our own addresses."""
        self._answering.run(self._answer(request), "serving an artifact")
        return NOT_DONE_YET

    def wait(self) -> Deferred[None]:
        """Fire when all that was begun is done."""
        return self._answering.wait()

    async def _answer(self, request: Request) -> None:
        try:
            await self._serve(request)
        except Exception:
            self._log.failure("An artifact could not be stored or served")
            _end(request, 500)

    async def _serve(self, request: Request) -> None:
        target, _, query = request.uri.decode("latin-1").partition("?")
        key = unquote(target[len(PREFIX) :])
        request.setHeader("Access-Control-Allow-Origin", "*")
        if request.method == b"PUT":
            await self._put(request, key, query)
        elif request.method in (b"GET", b"HEAD"):
            await self._get(request, key, query)
        else:
            _end(request, 405)

    async def _put(self, request: Request, key: str, query: str) -> None:
        content_type = request.getHeader("content-type") or ""
        if not self._addresses.permits("PUT", key, query, content_type):
            return _end(request, 403)
        if request.getHeader("content-length") is None:
            return _end(request, 411)
        self._keep(cast(BinaryIO, request.content), self._path(key))
        await self._database.run(_record, key, _Stored(content_type, request.getHeader("content-encoding")))
        _end(request, 200)

    def _keep(self, content: BinaryIO, path: str) -> None:
        """Put a body into its place, whole or not at all."""
        fresh = os.path.join(self._spool, slugid.v4())
        if isinstance(name := getattr(content, "name", None), str):
            # A second name for the spooled file, whose first one goes with the request.
            content.flush()
            os.link(name, fresh)
        else:
            with open(fresh, "wb") as file:
                file.write(content.read())
        os.replace(fresh, path)

    async def _get(self, request: Request, key: str, query: str) -> None:
        if not self._addresses.permits("GET", key, query):
            return _end(request, 403)
        stored = await self._database.run(_find, key)
        if stored is None:
            return _end(request, 404)
        file = _Contents(self._path(key))
        file.type, file.encoding = stored.content_type, stored.content_encoding
        # What a task made is shown, and never acts in the name of this server's own pages.
        request.setHeader("Content-Security-Policy", "sandbox")
        request.setHeader("X-Content-Type-Options", "nosniff")
        body = file.render_GET(request)
        if body is not NOT_DONE_YET:
            request.write(body)
            request.finish()

    def _path(self, key: str) -> str:
        # By its hash: names are strangers' and may hold slashes, dots and a thousand letters.
        return os.path.join(self._folder, hashlib.sha256(key.encode()).hexdigest())


def _end(request: Request, status: int) -> None:
    request.setResponseCode(status)
    request.setHeader("content-length", "0")
    request.finish()


def _record(connection: sqlite3.Connection, key: str, stored: _Stored) -> None:
    values = (key, stored.content_type, stored.content_encoding)
    connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", values)


def _find(connection: sqlite3.Connection, key: str) -> _Stored | None:
    row = connection.execute("SELECT content_type, content_encoding FROM objects WHERE key = ?", (key,)).fetchone()
    return _Stored(*row) if row else None
