"""The calls by which every service shows that it lives (contracts of the queue, 0.1)."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from tcworker import __version__
from tcworker.embedded.calls import Call
from tcworker.embedded.routing import Route
from tcworker.interfaces import JSON


class Heartbeat:
    """Answers for one server, all of whose services started together."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._started = clock.seconds()

    def routes(self) -> Sequence[Route]:
        """Give the routes; no scopes are needed."""
        return [
            Route("ping", "GET", "/ping", self._ping),
            Route("lbheartbeat", "GET", "/__lbheartbeat__", self._nothing),
            Route("heartbeat", "GET", "/__heartbeat__", self._nothing),
            Route("version", "GET", "/__version__", self._version),
        ]

    async def _ping(self, call: Call) -> JSON:
        return {"alive": True, "uptime": self._clock.seconds() - self._started}

    async def _nothing(self, call: Call) -> JSON:
        return {}

    async def _version(self, call: Call) -> JSON:
        return {"version": __version__}
