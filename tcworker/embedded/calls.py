"""One call of a service: what came with it, who makes it, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tcworker.client.scopes import missing, satisfies
from tcworker.embedded.faults import ApiError
from tcworker.interfaces import JSON, ScopeExpression


@dataclass(frozen=True)
class Caller:
    """Somebody whose signature was right, or nobody in particular.

    @ivar scopes: with all roles expanded.
    @ivar expires: in milliseconds; C{None} for credentials that do not end.
    """

    client_id: str
    scopes: tuple[str, ...]
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
    @ivar body: checked, with its defaults; C{{}} where the route has none.
    @ivar headers: by lower-case name.
    @ivar identify: says who calls; raises L{ApiError} when the signature is wrong.
    """

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: JSON
    headers: Mapping[str, str]
    identify: Callable[[], Caller]

    def require(self, expression: ScopeExpression) -> Caller:
        """Go on only if the caller's scopes satisfy the expression. Raises L{ApiError} (401 or 403)."""
        caller = self.identify()
        if not satisfies(caller.scopes, expression):
            raise ApiError("InsufficientScopes", _refusal(caller, expression))
        return caller


def _refusal(caller: Caller, expression: ScopeExpression) -> str:
    lacking = "\n".join(f"  {scope}" for scope in missing(caller.scopes, expression))
    return (
        f"Client {caller.client_id} lacks these scopes:\n\n{lacking}\n\n"
        f"The call requires this scope expression:\n\n  {_spell(expression)}"
    )


def _spell(expression: ScopeExpression) -> str:
    if isinstance(expression, str):
        return expression
    return "; ".join(f"{key}: [{', '.join(_spell(part) for part in parts)}]" for key, parts in expression.items())
