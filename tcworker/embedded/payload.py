"""A request's body: taken in, unpacked, read and checked (contracts of the queue, 0.3)."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from typing import IO, cast

from twisted.web.server import Request

from tcworker.embedded.calls import is_json
from tcworker.embedded.faults import ApiError
from tcworker.embedded.numbers import LARGEST
from tcworker.embedded.routing import Route
from tcworker.interfaces import JSON

BODY_LIMIT = 10 << 20
DEEPEST = 400
"""How deep objects and arrays may be in each other; what is written with recursion could not write all that is read."""

PLAIN = ("", "identity")

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def read(request: Request) -> bytes:
    """Give a body as it came; of one that is too long, more than L{BODY_LIMIT} and not all."""
    return cast(IO[bytes], request.content).read(BODY_LIMIT + 1)


def take(content: bytes, content_type: str, encoding: str) -> tuple[bytes, JSON]:
    """Give what a body was before it was packed, and what is in it. Raises L{ApiError}.

    As the real services do, it reads no other type than JSON, and nothing but objects and arrays.

    @param encoding: how it is packed, the header's value in lower case; C{""} if it is not.
    """
    if not content or not is_json(content_type):
        return content, {}
    plain = content if encoding in PLAIN else _unpack(content, encoding)
    # 500, not 413: the limit is that of a library which the real services do not translate.
    if len(plain) > BODY_LIMIT:
        raise ApiError("InternalServerError", f"The body is larger than {BODY_LIMIT} bytes.")
    return plain, _parse(plain)


def _unpack(content: bytes, encoding: str) -> bytes:
    """Unpack a body, if it becomes too long no more of it than shows that."""
    if encoding not in ("gzip", "deflate"):
        raise ApiError("MalformedPayload", f"The body's encoding {encoding!r} is none of gzip and deflate.")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpacker.decompress(content, BODY_LIMIT + 1)
    except zlib.error as error:
        raise ApiError("MalformedPayload", f"The body is not {encoding}: {error}") from None
    if len(plain) <= BODY_LIMIT and (not unpacker.eof or unpacker.unused_data):
        raise ApiError("MalformedPayload", f"The body is not one whole piece of {encoding}.")
    return plain


def _parse(content: bytes) -> JSON:
    try:
        text = content.decode("utf-8-sig")
        body = json.loads(text, parse_constant=_no_constant, parse_float=_number)
        _check_depth(text, body)
        _check_characters(text, body)
    except (ValueError, RecursionError) as error:
        raise ApiError("MalformedPayload", f"The body is not JSON: {error}") from None
    if not isinstance(body, dict | list):
        raise ApiError("MalformedPayload", "The body must be a JSON object or array.")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> float:
    """Give a number that has a fraction or an exponent: a whole one as such, for in JSON they are the same."""
    value = float(text)
    if abs(value) > LARGEST:
        return _large(value, text)
    return int(value) if value.is_integer() else value


def _large(value: float, text: str) -> float:
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:50]} is too large")
    return value


def _check_depth(text: str, body: JSON) -> None:
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    level = [body]
    for _ in range(DEEPEST):
        level = [part for one in level for part in _parts(one) if isinstance(part, dict | list)]
        if not level:
            return
    raise ValueError(f"objects and arrays are more than {DEEPEST} deep in each other")


def _parts(value: JSON) -> Iterable[JSON]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _check_characters(text: str, body: JSON) -> None:
    """Raise C{ValueError} for what is no text elsewhere: half of a pair of surrogates, and what databases refuse."""
    # Both come as escapes only: the rest was UTF-8, and control characters are not JSON.
    if _NUL.search(text):
        raise ValueError("\\u0000 is not allowed")
    if _SURROGATE.search(text):
        json.dumps(body, ensure_ascii=False).encode()


def check(route: Route, body: JSON, content_type: str) -> JSON:
    """Give what a handler gets of the body, with its defaults. Raises L{ApiError}."""
    if route.body is None:
        return body
    if not is_json(content_type):
        raise ApiError("MalformedPayload", "The body must come with Content-Type: application/json.")
    return route.body.check(body)
