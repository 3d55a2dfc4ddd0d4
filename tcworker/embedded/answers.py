"""What goes out: an answer with the headers that all answers have (contracts of the queue, 0.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from isal import igzip
from twisted.web.server import Request

from tcworker.embedded import incoming
from tcworker.embedded.calls import Reply
from tcworker.interfaces import JSON

HEADERS: Mapping[bytes, bytes] = {
    b"Content-Type": b"application/json; charset=utf-8",
    b"Cache-Control": b"no-store no-cache must-revalidate",
    b"X-Content-Type-Options": b"nosniff",
    b"Content-Security-Policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}

FOR_OTHER_SITES: Mapping[bytes, bytes] = {
    b"Access-Control-Allow-Origin": b"*",
    b"Access-Control-Max-Age": b"900",
    b"Access-Control-Allow-Methods": b"GET,HEAD,PUT,PATCH,POST,DELETE,TRACE,CONNECT",
    b"Access-Control-Allow-Headers": b"X-Requested-With,Content-Type,Authorization,Accept,Origin,Cache-Control",
}

OF_PAGE = b"/api/page/"
"""No real service is there: only the page of this server has a use for it."""

WORTH_PACKING = 1024

GIVEN_UP = b'{"code": "InternalServerError", "message": "The answer could not be sent."}'

_BYTES_OF_ONE = 10
"""What an item of a list or an object takes at the least, more or less."""

_write = json.JSONEncoder(allow_nan=False).encode

PACKED = b"\x1f\x8b"
"""What gzip begins with, and JSON never."""


def encode(body: JSON, packed: bool) -> bytes:
    """Give a body as it is sent; C{None} for none.

    @param packed: whether it is to be compressed when that is worth it.
    """
    plain = b"" if body is None else _dump(body).encode()
    return igzip.compress(plain, 1) if packed and len(plain) >= WORTH_PACKING else plain


def _dump(body: JSON) -> str:
    """Write JSON, long lists piece by piece: between them, the interpreter lets other threads go on.

    Raises C{ValueError} for numbers that JSON has no word for.
    """
    if not isinstance(body, dict):
        return _write(body)
    return "{" + ", ".join(f"{_write(key)}: {_write_parts(value)}" for key, value in body.items()) + "}"


def _write_parts(value: JSON) -> str:
    return f"[{', '.join(map(_write, value))}]" if isinstance(value, list) else _write(value)


def is_long(body: JSON, most: int) -> bool:
    """Whether more than about so many bytes would be written. It looks no further than it must to know."""
    left, parts = most, [body]
    while parts and left > 0:
        part = parts.pop()
        if isinstance(part, str):
            left -= len(part)
        elif isinstance(part, dict | list):
            left -= _BYTES_OF_ONE * len(part)
            parts.extend(() if left <= 0 else part.values() if isinstance(part, dict) else part)
    return left <= 0


def takes_packed(request: Request) -> bool:
    """Whether the caller can read what is compressed."""
    wanted = (incoming.header(request, "accept-encoding") or "").lower()
    return any(part.split(";")[0].strip() == "gzip" and "q=0" not in part.split(";")[1:] for part in wanted.split(","))


def write(request: Request, reply: Reply, body: bytes) -> None:
    """Send an answer.

    @param body: encoded.
    """
    headers: Any = request.responseHeaders
    for name, value in {**HEADERS, **({} if request.path.startswith(OF_PAGE) else FOR_OTHER_SITES)}.items():
        headers.setRawHeaders(name, [value])
    trace = incoming.header(request, "x-taskcluster-trace-id")
    headers.setRawHeaders(b"x-for-trace-id", [(trace or str(uuid4())).encode("latin-1")])
    headers.setRawHeaders(b"x-for-request-id", [str(uuid4()).encode()])
    for extra, text in reply.headers.items():
        headers.setRawHeaders(extra.encode(), [text.encode()])
    request.setResponseCode(reply.status)
    headers.setRawHeaders(b"vary", [b"Accept-Encoding"])
    if body.startswith(PACKED):
        headers.setRawHeaders(b"content-encoding", [b"gzip"])
    if reply.status != 204:
        headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    if body:
        request.write(body)
    request.finish()


def give_up(request: Request) -> None:
    """Tell a caller who cannot be answered, and end the connection: if an answer has begun, by breaking it off."""
    channel: Any = request.channel
    if channel is None:
        return
    if request.startedWriting:
        channel.forceAbortClient()
        return
    request.setResponseCode(500)
    request.setHeader("content-type", "application/json; charset=utf-8")
    request.setHeader("content-length", str(len(GIVEN_UP)))
    request.write(GIVEN_UP)
    request.finish()
    channel.loseConnection()
