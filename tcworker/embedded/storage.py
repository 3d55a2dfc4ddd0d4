"""Serves the contents of artifacts and objects at their addresses: downloads, and uploads while they are expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, cast
from urllib.parse import unquote

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.embedded import incoming
from tcworker.embedded.addresses import PREFIX, Addresses
from tcworker.embedded.contents import Contents
from tcworker.embedded.serving import end, hand_out, is_gone
from tcworker.embedded.site_request import Room, SiteRequest
from tcworker.waiting import Loose

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

_ENCODING = re.compile(r"[\w!#$%&'*+.^`|~-]+( *, *[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
"""Tokens (RFC 9110, 8.4): whatever else it is would be in the answer to whoever downloads it."""


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
            self._log.failure("a content could not be stored or served")
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
        headers = incoming.headers(request)
        # An address must be good when the upload begins: it may end long after.
        if request.room is not Room.UPLOAD:
            return end(request, 403)
        if "content-length" not in headers:
            return end(request, 411)
        if request.lost is not None:
            return end(request, 507)
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


def _parse(target: str) -> tuple[str, str]:
    """Give the key that a request's target is about, and its query."""
    path, _, query = target.partition("?")
    return unquote(path[len(PREFIX) :]), query
