"""What somebody might send who wishes a server ill: parts of calls that are wrong, odd, or right at a limit."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import quote

DEEP: Any = []
for _ in range(390):
    DEEP = [DEEP]

TEXTS = (
    "",
    "a",
    "²",
    "\n",
    "a\u0000b",
    "\ud800",
    "😀",
    "a" * 5000,
    "..",
    "*",
    "a*",
    "%s",
    "<taskId>",
    "a.b",
    "a/b",
    "-1",
)
DATES = (
    *("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00"),
    *("2027-01-15T09:00:00Z", "2027-01-15T08:30:00.123456789+00:00", "2027-02-30T00:00:00Z", "2016-12-31T23:59:60Z"),
    *("2027-01-15", "2027-01-16T00:00:00Z", "2027-01-15T08:00:00+24:00"),
)
NUMBERS = (0, 1, -1, 1.0, 2.5, -0.0, 1e21, 1e300, (1 << 53) - 1, 1 << 53, 1 << 63, 1 << 64, 10**30, -(10**30), 10**4000)
VALUES = (*TEXTS, *DATES, *NUMBERS, None, True, False, [], {}, [[]], {"a": {"b": []}}, [1, "a"], DEEP)

PLAIN = (
    "a",
    "prov/type",
    "https://a.test/b",
    "a@b.c",
    "x" * 22,
    "public/log",
    "a:b",
    "0",
    "A-b_9",
    "s" * 44,
    "text/plain",
)

SEGMENTS = (
    *("0", "1", "50", "9" * 30, "9" * 5000, "-1", "%C2%B2", "%00", "a%00b", "%F0%9F%98%80", "%ff", "%ED%A0%80", "%"),
    *("a", "a" * 2000, "..", "%2e%2e", "a.b", "a%2Fb", "%20", "*", "a%0A", "0x1", "%3CtaskId%3E", "stats", "list"),
)
TOKENS = [
    urlsafe_b64encode(text.encode()).decode() for text in ("", "0", "1", "9" * 15, "9" * 30, "²", "a/b", "a b", "\0")
]
QUERIES = (
    *TOKENS,
    "",
    "1",
    "0",
    "9" * 5000,
    "%C2%B2",
    "%00",
    "%ff",
    "x",
    "MQ",
    "MQ=",
    "true",
    "2027",
    "a" * 3000,
    *DATES,
)

HEADERS = {
    "Host": ("", "²", "a:99999999999", "[::1]:80", "a:", "\xff"),
    "X-Forwarded-Port": ("²", "99999999999", "9" * 5000, "-1", "", "\xff"),
    "X-Forwarded-Proto": ("https", "\xff"),
    "Authorization": ("Hawk", "Hawk \xff", 'Hawk id="a", ts="' + "9" * 30 + '", nonce="a", mac="a"', "Bearer x"),
    "Content-Type": ("application/json; charset=\xff", "\xff", "application/json;;", "text/plain", ""),
    "Content-Encoding": ("gzip", "\xff", "br", "deflate, gzip", ""),
    "Accept-Encoding": ("\xff", "gzip;q=\xff", "gzip;q=²"),
    "X-Taskcluster-Trace-Id": ("\xff", "", "²"),
}

BODIES = (
    *(b"{", b"[]", b"3", b"null", b'"a"', b"\xff", b"\xef\xbb\xbf{}", b'{"a": 1e400}', b'{"a": -1e400}', b'{"a": NaN}'),
    *(b"[" * 5000, b"[" * 990 + b"]" * 990, b'{"a":' * 401 + b"1" + b"}" * 401, b'{"a": ' + b"9" * 5000 + b"}"),
    *("{}".encode(encoding) for encoding in ("utf-16", "utf-32", "utf-16-le")),
    *(b'{"\\ud800": 1}', b'{"a": "\\u0000"}', b'{"a": 1, "a": 2}'),
)


class Absurdity:
    """Makes calls up, by chance.

    @param known: what a parameter of a path may well be, by its name.
    """

    def __init__(self, random: Random, known: Mapping[str, Sequence[str]]) -> None:
        self._random = random
        self._known = known

    def one(self, values: Sequence[Any]) -> Any:
        return self._random.choice(values)

    def rarely(self, of: int = 8) -> bool:
        return self._random.randrange(of) == 0

    def path(self, path: str) -> str:
        """Fill a route's path."""
        return re.sub(r"<(\*?)(\w+)>", lambda place: self._param(place[2]), path)

    def _param(self, name: str) -> str:
        known = self._known.get(name, ())
        return str(self.one(SEGMENTS)) if not known or self.rarely(4) else quote(self.one(known), safe="")

    def query(self, known: Mapping[str, str]) -> str:
        """Make a query of some known keys."""
        keys = [key for key in known if self.rarely(2)] + (["x"] if self.rarely(20) else [])
        return "?" + "&".join(f"{key}={self.one(QUERIES)}" for key in keys) if keys else ""

    def headers(self) -> dict[str, str]:
        """Make some headers, mostly none."""
        return (
            {}
            if self.rarely(2)
            else {name: self.one(values) for name, values in HEADERS.items() if self.rarely(len(HEADERS))}
        )

    def value(self, schema: Mapping[str, Any]) -> Any:
        """Make a value that may fit a schema."""
        if self.rarely(40):
            return self.one(VALUES)
        if "const" in schema or "enum" in schema:
            return self.one(schema.get("enum", [schema.get("const")]))
        if "oneOf" in schema:
            return self.value(self.one(schema["oneOf"]))
        make = getattr(self, f"_{schema.get('type', 'any')}")
        return make(schema)

    def spoil(self, body: Any) -> Any:
        """Put something else into one place of a body, or leave it as it is."""
        if self.rarely(3) and body:
            return body
        if not isinstance(body, dict) or not body or self.rarely(12):
            return self.one((*VALUES, *DATES, *NUMBERS))
        name = self.one([*body, "x"]) if self.rarely(6) else self.one(list(body))
        return {**body, name: self.spoil(body.get(name))}

    def _any(self, schema: Mapping[str, Any]) -> Any:
        return self.one(VALUES)

    def _object(self, schema: Mapping[str, Any]) -> Any:
        if "properties" not in schema:
            return {str(self.one(("a", "index", "rank", *TEXTS))): self.one(VALUES) for _ in range(3)}
        required = schema.get("required", ())
        parts = schema["properties"].items()
        return {name: self.value(part) for name, part in parts if name in required or self.rarely(2)}

    def _array(self, schema: Mapping[str, Any]) -> Any:
        return [self.value(schema.get("items", {})) for _ in range(self._random.randrange(3))]

    def _string(self, schema: Mapping[str, Any]) -> Any:
        if schema.get("format") == "date-time":
            return self.one((*DATES, *DATES[4:6] * 5))
        known = [one for some in self._known.values() for one in some]
        fitting = [one for one in (*TEXTS, *PLAIN, *known) if re.fullmatch(schema.get("pattern", "[^\0]*"), one)]
        return self.one(fitting or TEXTS)

    def _number(self, schema: Mapping[str, Any]) -> Any:
        limits = [schema[name] for name in ("minimum", "maximum") if name in schema]
        return self.one((*limits, *NUMBERS)) if self.rarely(3) or not limits else self.one(limits)

    _integer = _number

    def _boolean(self, schema: Mapping[str, Any]) -> Any:
        return self.one((True, False))
