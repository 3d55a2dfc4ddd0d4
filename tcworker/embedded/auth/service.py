"""The auth service: its parts put together."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.embedded.api_service import ApiService
from tcworker.embedded.auth.anonymous import ASSUME_ANONYMOUS
from tcworker.embedded.auth.authenticator import Authenticator
from tcworker.embedded.auth.client_calls import ClientCalls
from tcworker.embedded.auth.clients import CLIENT_ID, StaticClient, new_token
from tcworker.embedded.auth.registry import Registry
from tcworker.embedded.auth.role_calls import RoleCalls
from tcworker.embedded.auth.scope_calls import ScopeCalls
from tcworker.embedded.auth.store import SCHEMA
from tcworker.embedded.auth.tunnel_calls import PATTERNS as TUNNEL_PATTERNS
from tcworker.embedded.auth.tunnel_calls import TunnelCalls
from tcworker.embedded.database import keep_key
from tcworker.embedded.ground import Ground
from tcworker.embedded.schemas import PRINTABLE_NAME

PATTERNS = {"clientId": CLIENT_ID, "roleId": PRINTABLE_NAME, **TUNNEL_PATTERNS}


class AuthService(ApiService):
    """Knows clients and roles, and answers what somebody may do.

    @param static: the clients who are there from the start; those of an earlier start who are not among them go away.
    @param tunnel_secret: what tokens of websocktunnel are signed with; one of its own when C{None}.
    @ivar authenticator: for the calls of all services, once this one has started.
    """

    schema = SCHEMA
    # Clients are in memory as well: L{tidy} forgets them in both places.
    expired = ()

    def __init__(self, ground: Ground, static: Sequence[StaticClient], tunnel_secret: str | None) -> None:
        self._ground = ground
        self._static = static
        self._tunnel_secret = tunnel_secret
        self._registry = Registry(ground.clock, ground.database)
        self.authenticator = Authenticator(ground.clock, self._registry)
        self._tunnel = TunnelCalls(ground)
        routes = [
            *ClientCalls(ground, self._registry).routes(),
            *RoleCalls(ground, self._registry).routes(),
            *ScopeCalls(ground, self._registry, self.authenticator).routes(),
            *self._tunnel.routes(),
        ]
        super().__init__("auth", ground, routes, PATTERNS)

    def everybody_has(self, scope: str) -> bool:
        """Whether it needs no credentials at all."""
        return self._registry.expand([ASSUME_ANONYMOUS]).has(scope)

    async def start(self) -> None:
        """Read clients and roles."""
        await self._registry.load(self._static)
        kept = await self._ground.database.run(keep_key, "websocktunnel", new_token())
        self._tunnel.secret = self._tunnel_secret or kept

    async def tidy(self) -> None:
        """Forget the clients who have expired, if they are to go away then."""
        await self._registry.forget_expired()

    async def stop(self) -> None:
        """Finish the changes that were begun."""
        await self._registry.stop()
