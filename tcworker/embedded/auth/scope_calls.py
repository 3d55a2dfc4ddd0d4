"""Calls about who somebody is and what they may do (contracts of the queue, 3.1 and 3.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tcworker.embedded import dates
from tcworker.embedded.auth.authenticator import Authenticator
from tcworker.embedded.auth.registry import Registry
from tcworker.embedded.auth.roles import Roles
from tcworker.embedded.auth.schemas import SCOPES, ScopeChecker
from tcworker.embedded.auth.signatures import Refused
from tcworker.embedded.auth.tester import Tester
from tcworker.embedded.calls import Call, Caller, SignedRequest
from tcworker.embedded.ground import Ground
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import Checker, closed
from tcworker.interfaces import JSON

METHODS = [
    "get",
    "post",
    "put",
    "head",
    "delete",
    "options",
    "trace",
    "patch",
    "connect",
    "copy",
    "lock",
    "mkcol",
    "move",
    "propfind",
    "proppatch",
    "unlock",
    "report",
    "mkactivity",
    "checkout",
    "merge",
    "purge",
    "m-search",
    "notify",
    "subscribe",
    "unsubscribe",
    "search",
]

HOST = r"^[A-Za-z0-9]+((-{1,61}|\.)[A-Za-z0-9]+)*\.?$"
"""Written so that there is one way only to read a name: it is tried on whatever strangers send."""

TO_EXPAND = closed({"scopes": SCOPES}, required=["scopes"])

SIGNED = closed(
    {
        "method": {"enum": METHODS},
        "resource": {"type": "string"},
        "host": {"type": "string", "pattern": HOST, "maxLength": 253},
        "port": {"type": "integer", "minimum": 0, "maximum": 65535},
        "authorization": {"type": "string"},
        "sourceIp": {"type": "string", "pattern": "^[0-9A-Fa-f.:]+$"},
    },
    required=["method", "resource", "host", "port"],
)

TEST = closed(
    {"clientScopes": {**SCOPES, "default": []}, "requiredScopes": {**SCOPES, "default": []}},
    required=["clientScopes", "requiredScopes"],
)

TESTER_SCOPES = ("test:*", "auth:create-client:test:*")

UNSIGNED = 15 * dates.MINUTE
"""For so long, others may rely on what somebody without credentials may do."""


class ScopeCalls:
    """Answers currentScopes, expandScopes, authenticateHawk and the calls by which clients test their signatures."""

    def __init__(self, ground: Ground, registry: Registry, authenticator: Authenticator) -> None:
        self._ground = ground
        self._registry = registry
        self._authenticator = authenticator

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        return [
            Route("currentScopes", "GET", "/scopes/current", self._current, "auth:current-scopes"),
            Route(
                "expandScopes",
                "POST",
                "/scopes/expand",
                self._expand,
                "auth:expand-scopes",
                body=ScopeChecker(TO_EXPAND),
            ),
            Route("authenticateHawk", "POST", "/authenticate-hawk", self._authenticate, body=Checker(SIGNED)),
            Route("testAuthenticate", "POST", "/test-authenticate", self._test, body=ScopeChecker(TEST)),
            Route("testAuthenticateGet", "GET", "/test-authenticate-get", self._test_get),
        ]

    async def _current(self, call: Call) -> JSON:
        return {"scopes": list(call.identify().scopes)}

    async def _expand(self, call: Call) -> JSON:
        # Whoever calls may ask for as many as there is room for in a body.
        return {"scopes": await self._ground.threads.run(_expand, self._registry.roles, call.body["scopes"])}

    async def _authenticate(self, call: Call) -> JSON:
        asked = call.body
        request = SignedRequest(
            method=asked["method"].upper(),
            target=asked["resource"],
            host=asked["host"].lower(),
            port=asked["port"],
            authorization=asked.get("authorization"),
        )
        try:
            identity = self._authenticator.identify(request)
        except Refused as refusal:
            return {"status": "auth-failed", "message": str(refusal)}
        hashed = {"hash": identity.hash} if identity.hash else {}
        return {**self._describe(identity.caller), **hashed}

    def _describe(self, caller: Caller) -> JSON:
        if caller.expires is None:
            expires = dates.write(self._registry.now() + UNSIGNED)
            return {"status": "no-auth", "scheme": "none", "scopes": list(caller.scopes), "expires": expires}
        return {
            "status": "auth-success",
            "scheme": "hawk",
            "scopes": list(caller.scopes),
            "clientId": caller.client_id,
            "expires": dates.write(caller.expires),
        }

    async def _test(self, call: Call) -> JSON:
        return self._tested(call, call.body["clientScopes"], call.body["requiredScopes"])

    async def _test_get(self, call: Call) -> JSON:
        return self._tested(call, TESTER_SCOPES, ["test:authenticate-get"])

    def _tested(self, call: Call, client_scopes: Sequence[str], required: Sequence[str]) -> JSON:
        authenticator = Authenticator(self._ground.clock, Tester(client_scopes))
        caller = replace(call, identify=lambda: authenticator.authenticate(call.signed)).require({"AllOf": required})
        return {"clientId": caller.client_id, "scopes": list(caller.scopes)}


def _expand(roles: Roles, scopes: Sequence[str]) -> Sequence[str]:
    return list(roles.expand(scopes))
