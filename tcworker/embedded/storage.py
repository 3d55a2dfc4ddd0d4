"""The addresses at which the contents of artifacts and objects are put and got.

An address is good for one method, one content and some time, and says so in its signature, which nobody can make who
does not have the server's key: what a bucket's presigned URLs do for a real deployment (contracts of the queue, 1.9).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import IO, cast
from urllib.parse import parse_qs, quote, unquote, urlencode

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.embedded import dates
from tcworker.embedded.contents import Contents
from tcworker.embedded.serving import end, hand_out, is_gone
from tcworker.embedded.site import SiteRequest, headers_of
from tcworker.waiting import Loose

PREFIX = "/storage/"

HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT",
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, Range, If-None-Match, If-Modified-Since",
    "Access-Control-Expose-Headers": "Content-Length, Content-Encoding, Content-Range, ETag",
    # What a task made is shown, and never acts in the name of this server's own pages.
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
    # An address is a secret as long as it is good.
    "Referrer-Policy": "no-referrer",
}

NO_HEADERS: Mapping[str, str] = {}

_DATE = re.compile(r"\d{1,15}", re.ASCII)

_ENCODING = re.compile(r"[\w!#$%&'*+.^`|~-]+( *, *[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
"""Tokens (RFC 9110, 8.4): whatever else it is would be in the answer to whoever downloads it."""


class Addresses:
    """Makes addresses of contents and knows its own again.

    @ivar root_url: of the server; set once it listens.
    """

    def __init__(self, clock: IReactorTime, secret: str) -> None:
        self.root_url = ""
        self._clock = clock
        self._secret = secret.encode()

    def of(self, method: str, key: str, expires: int, headers: Mapping[str, str] = NO_HEADERS) -> str:
        """Give an address of a content.

        @param expires: in milliseconds.
        @param headers: what a request must come with, by lower-case name.
        """
        names = ";".join(sorted(headers))
        signature = self._sign(method, key, str(expires), {name: headers[name] for name in sorted(headers)})
        query = {"expires": expires, "headers": names, "signature": signature}
        return f"{self.root_url}{PREFIX}{_quote(key)}?{urlencode(query)}"

    def permits(self, method: str, key: str, query: str, headers: Mapping[str, str] = NO_HEADERS) -> bool:
        """Whether an address that somebody uses is one of ours, still good, and used with the headers it is for."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        expires, names = given.get("expires", ""), given.get("headers", "")
        if not _DATE.fullmatch(expires) or int(expires) < dates.now(self._clock):
            return False
        signed = {name: headers.get(name, "") for name in names.split(";") if name}
        expected = self._sign(method, key, expires, signed)
        return hmac.compare_digest(expected.encode(), given.get("signature", "").encode())

    def _sign(self, method: str, key: str, expires: str, headers: Mapping[str, str]) -> str:
        text = json.dumps([method, key, expires, list(headers.items())])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


class StorageResource(Resource):
    """Serves C{/storage/…}."""

    isLeaf = True

    def __init__(self, contents: Contents, addresses: Addresses) -> None:
        super().__init__()
        self._contents = contents
        self._addresses = addresses
        self._log = Logger()
        self._answering = Loose(self._log)

    def render(self, request: Request) -> int:
        """Answer GET, HEAD and PUT at our own addresses."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        self._answering.run(self._answer(request), "serving a content")
        return NOT_DONE_YET

    async def end(self, clock: IReactorTime, seconds: float) -> None:
        """Return when all that was begun is done, or given up after so many seconds."""
        await self._answering.end(clock, seconds)

    async def _answer(self, request: Request) -> None:
        try:
            await self._serve(request)
        except CancelledError:
            return
        except Exception:
            self._log.failure("A content could not be stored or served")
            end(request, 500)

    def welcomes(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Whether a request is an upload to one of our addresses."""
        key, query = _parse(target)
        # Every path of the server is asked for here, and signatures are of ours alone.
        return method == "PUT" and target.startswith(PREFIX) and self._addresses.permits("PUT", key, query, headers)

    async def _serve(self, request: Request) -> None:
        key, query = _parse(request.uri.decode("latin-1"))
        if request.method == b"OPTIONS":
            end(request, 204)
        elif request.method == b"PUT":
            await self._put(cast(SiteRequest, request), key)
        elif request.method in (b"GET", b"HEAD"):
            await self._get(request, key, query)
        else:
            end(request, 405)

    async def _put(self, request: SiteRequest, key: str) -> None:
        headers = headers_of(request)
        # An address must be good when the upload begins: it may end long after.
        if not request.welcome:
            return end(request, 403)
        if "content-length" not in headers:
            return end(request, 411)
        content_type, encoding = headers.get("content-type", ""), headers.get("content-encoding")
        if not content_type.isascii() or not (encoding is None or _ENCODING.fullmatch(encoding)):
            return end(request, 400)
        # Whoever hangs up now has sent all of it: it is kept.
        replaced = await self._contents.put(key, cast(IO[bytes], request.content), content_type, encoding)
        end(request, 200)
        if replaced:
            self._answering.run(self._contents.clear(), "removing what was replaced")

    async def _get(self, request: Request, key: str, query: str) -> None:
        if not self._addresses.permits("GET", key, query):
            return end(request, 403)
        found = await self._contents.open(key)
        if found is None:
            return end(request, 404)
        content, file = found
        if is_gone(request):
            file.close()
        else:
            hand_out(request, content, file)


def _quote(key: str) -> str:
    # Clients resolve what looks like a folder's parent, but not within one segment.
    alike = {"", ".", ".."}.intersection(key.split("/"))
    return quote(key, safe="" if alike else "/")


def _parse(target: str) -> tuple[str, str]:
    """Give the key that a request's target is about, and its query."""
    path, _, query = target.partition("?")
    return unquote(path[len(PREFIX) :]), query
