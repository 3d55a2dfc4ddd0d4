"""Scopes: who may do what (contracts of the queue, 3.7). Pure.

A scope is satisfied by itself and by a pattern: a scope that ends in C{*} and whose rest it begins with. An expression
is a scope, C{{"AllOf": [...]}} or C{{"AnyOf": [...]}} of expressions.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice

from tcworker.interfaces import ScopeExpression

_SCOPE = re.compile("[ -~]*")


class ScopeSet:
    """Scopes that somebody has, and those of other sets. It is asked fast, however many there are.

    Iterating gives them in order, without those that another one includes.
    """

    def __init__(self, scopes: Iterable[str] = (), *others: ScopeSet) -> None:
        self._scopes = minimal(scopes)
        self._others = others
        self._exact = frozenset(scope for scope in self._scopes if not scope.endswith("*"))
        self._prefixes = [scope[:-1] for scope in self._scopes if scope.endswith("*")]

    def has(self, scope: str) -> bool:
        """Whether these scopes satisfy one."""
        return self._has(scope) or any(other.has(scope) for other in self._others)

    def _has(self, scope: str) -> bool:
        if scope in self._exact:
            return True
        # No prefix begins with another one: only the nearest before the scope can be one of it.
        found = bisect_right(self._prefixes, scope)
        return bool(found) and scope.startswith(self._prefixes[found - 1])

    def __iter__(self) -> Iterator[str]:
        return iter(minimal(chain(self._scopes, *self._others)) if self._others else self._scopes)


def minimal(scopes: Iterable[str]) -> list[str]:
    """Leave out scopes that another one of them includes; in order, a pattern before what begins like it."""
    kept: list[str] = []
    prefix: str | None = None
    for scope in in_order(set(scopes)):
        if prefix is not None and scope.startswith(prefix):
            continue
        prefix = scope[:-1] if scope.endswith("*") else prefix
        kept.append(scope)
    return kept


def in_order(scopes: Iterable[str]) -> list[str]:
    """Sort scopes, a pattern before what begins like it."""
    return sorted(scopes, key=_order)


def _order(scope: str) -> str:
    # Both sort before whatever may be in a scope.
    return scope[:-1] + "\0" if scope.endswith("*") else scope + "\1"


def is_scope(text: str) -> bool:
    """Whether a text may be a scope: printable ASCII."""
    return _SCOPE.fullmatch(text) is not None


def satisfies(have: Iterable[str], expression: ScopeExpression) -> bool:
    """Whether somebody with these scopes may do what needs that expression.

    Raises C{ValueError} for what is no expression.
    """
    return _holds(_asker(have), expression)


def missing(have: Iterable[str], expression: ScopeExpression, most: int | None = None) -> list[str]:
    """The scopes that lack, in the expression's order and each once; empty if it is satisfied.

    Of C{AnyOf} without a satisfied alternative, what each of the alternatives lacks.

    @param most: how many are enough; all that lack when C{None}.
    """
    return list(dict.fromkeys(islice(_lacking(_asker(have), expression), most)))


def _asker(have: Iterable[str]) -> Callable[[str], bool]:
    return (have if isinstance(have, ScopeSet) else ScopeSet(have)).has


def _holds(has: Callable[[str], bool], expression: ScopeExpression) -> bool:
    if isinstance(expression, str):
        return has(expression)
    quantifier, parts = _split(expression)
    return quantifier(_holds(has, part) for part in parts)


def _lacking(has: Callable[[str], bool], expression: ScopeExpression) -> Iterator[str]:
    # First of all: of alternatives one of which holds, what the others lack is of no interest.
    if _holds(has, expression):
        return
    if isinstance(expression, str):
        yield expression
    else:
        _, parts = _split(expression)
        yield from (scope for part in parts for scope in _lacking(has, part))


def _split(
    expression: Mapping[str, list[ScopeExpression]],
) -> tuple[Callable[[Iterable[bool]], bool], list[ScopeExpression]]:
    match dict(expression):
        case {"AllOf": [*parts], **rest} if not rest:
            return all, parts
        case {"AnyOf": [*parts], **rest} if not rest:
            return any, parts
    raise ValueError(f"not a scope expression: {expression!r}")
