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

PACKED = b"\x1f\x8b"
"""What gzip begins with, and JSON never."""


def encode(body: JSON, packed: bool) -> bytes:
    """Give a body as it is sent; C{None} for none.

    @param packed: whether it is to be compressed when that is worth it.
    """
    plain = b"" if body is None else json.dumps(body).encode()
    return igzip.compress(plain, 1) if packed and len(plain) >= WORTH_PACKING else plain


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
