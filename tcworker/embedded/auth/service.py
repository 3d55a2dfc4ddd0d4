"""The auth service's calls."""

from __future__ import annotations

from tcworker.embedded.api import Api
from tcworker.embedded.auth.roles import Roles, minimal
from tcworker.embedded.calls import Call
from tcworker.embedded.ground import ApiService, Ground
from tcworker.embedded.routing import Route, RouteTable
from tcworker.embedded.schemas import Checker, closed
from tcworker.interfaces import JSON

SCOPES = closed({"scopes": {"type": "array", "items": {"type": "string", "pattern": "^[\x20-\x7e]*$"}}}, "scopes")


class AuthService(ApiService):
    """Answers what a caller may do."""

    def __init__(self, roles: Roles, ground: Ground) -> None:
        self._roles = roles
        routes = [
            *ground.heartbeat.routes(),
            Route("currentScopes", "GET", "/scopes/current", self._current_scopes, "auth:current-scopes"),
            Route("expandScopes", "POST", "/scopes/expand", self._expand, "auth:expand-scopes", body=Checker(SCOPES)),
        ]
        self.api = Api("auth", RouteTable(routes), {})

    async def _current_scopes(self, call: Call) -> JSON:
        return {"scopes": minimal(call.identify().scopes)}

    async def _expand(self, call: Call) -> JSON:
        return {"scopes": minimal(self._roles.expand(call.body["scopes"]))}
