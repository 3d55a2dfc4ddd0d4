"""What bodies of the auth service have in common."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.client.scopes import render
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import bad_input
from tcworker.embedded.schemas import Schema
from tcworker.interfaces import ScopeExpression

SCOPES: Schema = {"type": "array", "items": {"type": "string", "pattern": "^[ -~]*$"}, "uniqueItems": True}

DESCRIPTION: Schema = {"type": "string", "maxLength": 10240}

GIVING: ScopeExpression = {"AllOf": ["<right>", {"for": "scope", "in": "scopes", "each": "<scope>"}]}
"""What somebody needs who gives scopes away: the right to do so where they do it, and the scopes themselves."""


def require_to_give(call: Call, right: str, scopes: Sequence[str]) -> None:
    """Go on only if the caller has a right and these scopes. Raises L{ApiError} (401 or 403)."""
    expression = render(GIVING, {"right": right, "scopes": scopes})
    assert expression is not None
    call.require(expression)


def check_scopes(scopes: Sequence[str]) -> Sequence[str]:
    """Give these scopes. Raises L{ApiError} for one with two stars at its end."""
    if any(scope.endswith("**") for scope in scopes):
        raise bad_input("Scopes must not end with **.")
    return scopes
