"""One call of a service: what came with it, who makes it, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tcworker.client.scopes import ScopeSet, missing, satisfies
from tcworker.embedded.faults import ApiError
from tcworker.embedded.numbers import LARGEST, up_to
from tcworker.interfaces import JSON, ScopeExpression

MOST_NAMED = 100
"""Scopes that a refusal names: a body may need any number."""

NOBODY = "auth-failed:no-auth"
"""The client id of who did not sign."""


@dataclass(frozen=True)
class SignedRequest:
    """What a signature is about.

    @ivar method: in upper case.
    @ivar target: the request's target as it came, nothing decoded.
    @ivar host: in lower case.
    @ivar authorization: the header's value.
    """

    method: str
    target: str = field(repr=False)
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    content_type: str = ""
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Caller:
    """Somebody whose signature was right, or L{NOBODY}.

    @ivar scopes: with all roles expanded.
    @ivar expires: when the credentials end, in milliseconds; C{None} of nobody.
    """

    client_id: str
    scopes: ScopeSet
    expires: int | None = None


@dataclass(frozen=True)
class Reply:
    """An answer that is not simply 200 with a body.

    @ivar body: JSON; C{None} for no body at all.
    """

    status: int
    body: JSON = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """What a handler is given.

    @ivar params: from the path, decoded.
    @ivar query: decoded, each key known to the route.
    @ivar body: checked, with its defaults; where the route has no schema, whatever JSON came, unchecked; C{{}} if none.
    @ivar headers: by lower-case name.
    @ivar identify: says who calls; raises L{ApiError} when the signature is wrong.
    @ivar signed: what the caller signed, if they did.
    """

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: JSON
    headers: Mapping[str, str] = field(repr=False)
    identify: Callable[[], Caller]
    signed: SignedRequest

    def require(self, expression: ScopeExpression) -> Caller:
        """Go on only if the caller's scopes satisfy the expression. Raises L{ApiError} (401 or 403)."""
        caller = self.identify()
        if not satisfies(caller.scopes, expression):
            raise ApiError("InsufficientScopes", _refusal(caller, expression))
        return caller

    def number(self, name: str) -> int:
        """Give a parameter that is of digits as a number; L{LARGEST} for one that is larger."""
        return up_to(LARGEST, self.params[name])


def is_json(content_type: str) -> bool:
    """Whether a body of that type is read at all."""
    return content_type.split(";")[0].strip().lower() == "application/json"


def _refusal(caller: Caller, expression: ScopeExpression) -> str:
    needed = f"this scope expression:\n\n  {_spell(expression)}"
    if caller.client_id == NOBODY:
        return f"Nobody signed the call. It requires credentials whose scopes satisfy {needed}"
    lacking = "\n".join(f"  {scope}" for scope in _first(missing(caller.scopes, expression, MOST_NAMED + 1)))
    return f"Client {caller.client_id} lacks these scopes:\n\n{lacking}\n\nThe call requires {needed}"


def _first(parts: Sequence[ScopeExpression]) -> Sequence[ScopeExpression]:
    return parts if len(parts) <= MOST_NAMED else [*parts[:MOST_NAMED], "…"]


def _spell(expression: ScopeExpression) -> str:
    if isinstance(expression, str):
        return expression
    return "; ".join(f"{key}: [{', '.join(map(_spell, _first(parts)))}]" for key, parts in expression.items())
