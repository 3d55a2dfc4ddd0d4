"""The call for tokens of websocktunnel, by which live logs of workers are reached (contracts of the queue, 3.6)."""

from __future__ import annotations

from collections.abc import Sequence

import jwt

from tcworker.clocks import wall_seconds
from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.ground import Ground
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME
from tcworker.interfaces import JSON

SKEW_SECONDS = 15 * 60

PATTERNS = {"wstAudience": NAME, "wstClient": "^[a-zA-Z0-9_~.%-]+$"}


class TunnelCalls:
    """Answers websocktunnelToken.

    @ivar secret: what the tokens are signed with, known to the websocktunnel too.
    """

    def __init__(self, ground: Ground) -> None:
        self._clock = ground.clock
        self._lifetime = int(ground.times.tunnel_token)
        self.secret = ""

    def routes(self) -> Sequence[Route]:
        """Give the route."""
        path, scope = "/websocktunnel/<wstAudience>/<wstClient>", "auth:websocktunnel-token:<wstAudience>/<wstClient>"
        return [Route("websocktunnelToken", "GET", path, self._token, scope)]

    async def _token(self, call: Call) -> JSON:
        audience, client = call.params["wstAudience"], call.params["wstClient"]
        now = int(wall_seconds(self._clock))
        claims = {
            "tid": client,
            "aud": audience,
            "sub": call.identify().client_id,
            "iat": now,
            "exp": now + self._lifetime,
            # Clocks differ.
            "nbf": now - SKEW_SECONDS,
            "iss": "taskcluster-auth",
        }
        token = jwt.encode(claims, self.secret, algorithm="HS256")
        expires = dates.write((now + self._lifetime) * 1000)
        return {"wstClient": client, "wstAudience": audience, "token": token, "expires": expires}
