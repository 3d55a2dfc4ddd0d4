"""Which call a request means, decided on the raw path.

Klein, which would otherwise be the library for it, decodes the path before it routes, so that C{a%2Fb} and C{a/b} are
the same to it. Here they are not: a plain parameter takes C{%2F} and no slash, a splat takes both (contracts of the
queue, 0.1). Hence this table of routes, which splits first and decodes each segment afterwards.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from tcworker.embedded.calls import Call
from tcworker.embedded.faults import ApiError
from tcworker.embedded.schemas import Checker, Variants
from tcworker.interfaces import JSON, ScopeExpression

_PLACE = re.compile(r"<(\w+)>")

Handler = Callable[[Call], Awaitable[JSON]]

OMITTED = "(OMITTED)"


def _whole(body: JSON) -> JSON:
    return body


def nothing_of(body: JSON) -> JSON:
    """Show nothing of a body; a C{show} of L{Route}."""
    return OMITTED


@dataclass(frozen=True)
class Route:
    """One call of a service.

    @ivar name: as clients know it, for example C{claimWork}.
    @ivar path: after C{/api/<service>/v1}; C{<name>} is a parameter, C{<*name>} one that takes slashes. What
        stands after a C{<name>} in its segment must stand there.
    @ivar scopes: what the caller needs, with C{<name>} for a parameter; C{None} when the handler asks itself, because
        it depends on the body or on what is stored.
    @ivar query: the known keys of the query, each with a pattern for its value.
    @ivar body: what the body is checked against; C{None} when a handler is given whatever JSON came, unchecked.
    @ivar show: what of a body may stand in an error's answer, which people put into logs.
    """

    name: str
    method: str
    path: str
    handler: Handler
    scopes: ScopeExpression | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    body: Checker | Variants | None = None
    show: Callable[[JSON], JSON] = _whole

    @property
    def segments(self) -> Sequence[str]:
        """Of the path."""
        return self.path.strip("/").split("/")


class RouteTable:
    """The routes of one service."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, str], list[tuple[Sequence[str], Route]]] = defaultdict(list)
        for route in routes:
            self._routes[route.method, route.segments[0]].append((route.segments, route))

    def __iter__(self) -> Iterator[Route]:
        """Give each route."""
        return (route for found in self._routes.values() for _, route in found)

    def find(self, method: str, segments: Sequence[str]) -> tuple[Route, dict[str, str]] | None:
        """Find a route and its parameters, decoded, by the raw segments; C{None} when nothing is there."""
        raw = segments[:-1] if len(segments) > 1 and not segments[-1] else segments
        for pattern, route in self._routes.get((method, raw[0]), ()):
            params = _match(pattern, raw)
            if params is not None:
                return route, {name: _decode(value) for name, value in params.items()}
        return None


def _match(pattern: Sequence[str], raw: Sequence[str]) -> dict[str, str] | None:
    joined = _join_splat(pattern, raw)
    if len(joined) != len(pattern):
        return None
    params = {}
    for wanted, given in zip(pattern, joined, strict=True):
        if wanted.startswith("<"):
            name, _, end = wanted[1:].partition(">")
            if not given.endswith(end):
                return None
            params[name.removeprefix("*")] = given.removesuffix(end)
        elif wanted != given:
            return None
    return params if all(params.values()) else None


def _join_splat(pattern: Sequence[str], raw: Sequence[str]) -> Sequence[str]:
    """Make one segment of those that a pattern's splat takes."""
    more = len(raw) - len(pattern)
    splat = next((index for index, wanted in enumerate(pattern) if wanted.startswith("<*")), None)
    if splat is None or more < 1:
        return raw
    return [*raw[:splat], "/".join(raw[splat : splat + more + 1]), *raw[splat + more + 1 :]]


def _decode(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise ApiError("InvalidRequestArguments", f"A part of the path is not UTF-8: {value}") from None


def fill_in(expression: ScopeExpression, params: Mapping[str, str]) -> ScopeExpression:
    """Put parameters into the C{<name>} places of a scope expression."""
    if isinstance(expression, str):
        return _PLACE.sub(lambda place: params[place[1]], expression)
    return {key: [fill_in(part, params) for part in parts] for key, parts in expression.items()}
