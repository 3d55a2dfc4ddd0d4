"""What comes in: a request's parts, read and checked (contracts of the queue, 0.3 and 0.6)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import IO, cast
from urllib.parse import parse_qsl

from twisted.web.server import Request

from tcworker.embedded.calls import SignedRequest, is_json
from tcworker.embedded.faults import ApiError
from tcworker.embedded.routing import Route
from tcworker.interfaces import JSON

BODY_LIMIT = 10 << 20


def read(request: Request) -> bytes:
    """Give the body. Raises L{ApiError} for one that is too long."""
    content = cast(IO[bytes], request.content).read(BODY_LIMIT + 1)
    # 500, not 413: the limit is that of a library which the real services do not translate.
    if len(content) > BODY_LIMIT:
        raise ApiError("InternalServerError", f"The body is larger than {BODY_LIMIT} bytes.")
    return content


def signed(request: Request, content: bytes) -> SignedRequest:
    """Give what a signature is about."""
    host, port = _address(request)
    return SignedRequest(
        method=request.method.decode("latin-1"),
        target=request.uri.decode("latin-1"),
        host=host,
        port=port,
        authorization=request.getHeader("authorization"),
        content_type=request.getHeader("content-type") or "",
        content=content,
    )


def parse(content: bytes, content_type: str) -> JSON:
    """Read a body as the real services do: no other type than JSON, and nothing but objects and arrays."""
    if not content or not is_json(content_type):
        return {}
    try:
        body = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("MalformedPayload", f"The body is not JSON: {error}") from None
    if not isinstance(body, dict | list):
        raise ApiError("MalformedPayload", "The body must be a JSON object or array.")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def check_params(params: Mapping[str, str], patterns: Mapping[str, str]) -> None:
    """Raise L{ApiError} for parameters of the path that cannot be."""
    faults = [
        f"{name} {value!r} must match {patterns[name]}"
        for name, value in params.items()
        if name in patterns and not re.fullmatch(patterns[name], value)
    ]
    if faults:
        raise ApiError("InvalidRequestArguments", "Invalid URL patterns:\n" + "\n".join(faults))


def check_query(request: Request, known: Mapping[str, str]) -> dict[str, str]:
    """Give the query, decoded. Raises L{ApiError} for keys that are not known, and for values that cannot be."""
    _, _, text = request.uri.decode("latin-1").partition("?")
    # A signature in the query is known everywhere.
    given = [(key, value) for key, value in parse_qsl(text, keep_blank_values=True) if key != "bewit"]
    query = dict(given)
    faults = [f"{key} is there more than once" for key, count in Counter(key for key, _ in given).items() if count > 1]
    faults += [
        f"{key}={value!r} must match {known[key]}" if key in known else f"{key} is not a known key"
        for key, value in query.items()
        if key not in known or not re.fullmatch(known[key], value)
    ]
    if faults:
        raise ApiError("InvalidRequestArguments", "Invalid query:\n" + "\n".join(faults))
    return query


def check_body(route: Route, body: JSON, content_type: str) -> JSON:
    """Give what a handler gets of the body, with its defaults. Raises L{ApiError}."""
    if route.body is None:
        return body
    if not is_json(content_type):
        raise ApiError("MalformedPayload", "The body must come with Content-Type: application/json.")
    return route.body.check(body)


def headers(request: Request) -> dict[str, str]:
    """Give the headers by lower-case name; of several of a name, the last."""
    every = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in every}


def _address(request: Request) -> tuple[str, int]:
    """Give host and port that the caller signed (contracts of the queue, 3.1)."""
    host = request.getHeader("host") or ""
    name, colon, port = host.rpartition(":")
    forwarded = request.getHeader("x-forwarded-port")
    if not colon or port.endswith("]"):
        name, port = host, "443" if request.isSecure() else "80"
    if request.getHeader("x-forwarded-proto") == "https":
        port = "443"
    # Clients sign an address of IPv6 without the brackets that it has in a URL.
    return name.lower().strip("[]"), int(forwarded or port) if (forwarded or port).isdigit() else 0
