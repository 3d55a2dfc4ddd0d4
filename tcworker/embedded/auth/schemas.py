"""What bodies of the auth service have in common."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.client.scopes import is_scope
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import bad_input
from tcworker.embedded.schemas import SCOPE, Checker, Schema
from tcworker.interfaces import JSON

MOST_SCOPES = 10_000

SCOPES: Schema = {
    "type": "array",
    "items": SCOPE,
    "uniqueItems": True,
    "maxItems": MOST_SCOPES,
}

LISTS = ("scopes", "clientScopes", "requiredScopes")
"""The names of such lists in bodies."""

DESCRIPTION: Schema = {"type": "string", "maxLength": 10240}


def require_to_give(call: Call, right: str, scopes: Sequence[str]) -> None:
    """Go on only if the caller may give scopes away: has the right to do so there, and the scopes themselves.

    Raises L{ApiError} (401 or 403).
    """
    call.require({"AllOf": [right, *scopes]})


class ScopeChecker(Checker):
    """Checks bodies whose lists of scopes may be long; one scope after the other, it would take fifty times as long."""

    def check(self, body: JSON) -> JSON:
        """Give the body with its defaults. Raises L{ApiError} that lists its faults."""
        if not isinstance(body, dict):
            return super().check(body)
        good = {name: body[name] for name in LISTS if _are_scopes(body.get(name))}
        return {**super().check({**body, **{name: [] for name in good}}), **good}


def _are_scopes(scopes: JSON) -> bool:
    if not isinstance(scopes, list) or len(scopes) > MOST_SCOPES or not all(type(scope) is str for scope in scopes):
        return False
    return is_scope("".join(scopes)) and len(set(scopes)) == len(scopes)


def check_scopes(scopes: Sequence[str]) -> Sequence[str]:
    """Give these scopes. Raises L{ApiError} for one with two stars at its end."""
    if any(scope.endswith("**") for scope in scopes):
        raise bad_input("Scopes must not end with **.")
    return scopes
