"""Scopes: who may do what (contracts of the queue, 3.7). Pure.

A scope is satisfied by itself and by a pattern: a scope that ends in C{*} and whose rest it begins with. An expression
is a scope, C{{"AllOf": [...]}} or C{{"AnyOf": [...]}} of expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tcworker.interfaces import ScopeExpression


def satisfies(have: Iterable[str], expression: ScopeExpression) -> bool:
    """Whether somebody with these scopes may do what needs that expression.

    Raises C{ValueError} for what is no expression.
    """
    return _holds(_holder(have), expression)


def missing(have: Iterable[str], expression: ScopeExpression) -> list[str]:
    """The scopes that lack, in the expression's order and each once; empty if it is satisfied.

    Of C{AnyOf} without a satisfied alternative, what each of the alternatives lacks.
    """
    return list(dict.fromkeys(_lacking(_holder(have), expression)))


def _holder(have: Iterable[str]) -> Callable[[str], bool]:
    scopes = frozenset(have)
    # C{startswith} takes them all at once: roles may bring thousands.
    prefixes = tuple(scope[:-1] for scope in scopes if scope.endswith("*"))
    return lambda scope: scope in scopes or scope.startswith(prefixes)


def _holds(has: Callable[[str], bool], expression: ScopeExpression) -> bool:
    if isinstance(expression, str):
        return has(expression)
    quantifier, parts = _split(expression)
    return quantifier(_holds(has, part) for part in parts)


def _lacking(has: Callable[[str], bool], expression: ScopeExpression) -> Iterable[str]:
    # First of all: of alternatives one of which holds, what the others lack is of no interest.
    if _holds(has, expression):
        return []
    if isinstance(expression, str):
        return [expression]
    _, parts = _split(expression)
    return [scope for part in parts for scope in _lacking(has, part)]


def _split(
    expression: Mapping[str, list[ScopeExpression]],
) -> tuple[Callable[[Iterable[bool]], bool], list[ScopeExpression]]:
    match dict(expression):
        case {"AllOf": [*parts], **rest} if not rest:
            return all, parts
        case {"AnyOf": [*parts], **rest} if not rest:
            return any, parts
    raise ValueError(f"not a scope expression: {expression!r}")
