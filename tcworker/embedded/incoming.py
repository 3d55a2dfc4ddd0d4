"""What comes in: a request's parts but for its body, read and checked (contracts of the queue, 0.6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from urllib.parse import parse_qsl

from twisted.web.server import Request

from tcworker.embedded.calls import SignedRequest
from tcworker.embedded.faults import ApiError
from tcworker.embedded.numbers import up_to

LAST_PORT = 65_535

_DIGITS = re.compile("[0-9]+")


def signed(request: Request, content: bytes) -> SignedRequest:
    """Give what a signature is about."""
    host, port = _address(request)
    return SignedRequest(
        method=request.method.decode("latin-1"),
        target=request.uri.decode("latin-1"),
        host=host,
        port=port,
        authorization=header(request, "authorization"),
        content_type=header(request, "content-type") or "",
        content=content,
    )


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


def header(request: Request, name: str) -> str | None:
    """Give one header, of several of that name the last; C{None} if it is not there."""
    # Its bytes may be any: by a name that is text, Twisted would read it as UTF-8.
    value = request.getHeader(name.encode())
    return None if value is None else value.decode("latin-1")


def headers(request: Request) -> dict[str, str]:
    """Give the headers by lower-case name; of several of a name, the last."""
    every = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in every}


def _address(request: Request) -> tuple[str, int]:
    """Give host and port that the caller signed (contracts of the queue, 3.1)."""
    host = header(request, "host") or ""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, "443" if request.isSecure() else "80"
    if header(request, "x-forwarded-proto") == "https":
        port = "443"
    port = header(request, "x-forwarded-port") or port
    # Clients sign an address of IPv6 without the brackets that it has in a URL.
    return name.lower().strip("[]"), up_to(LAST_PORT, port) if _DIGITS.fullmatch(port) else 0
