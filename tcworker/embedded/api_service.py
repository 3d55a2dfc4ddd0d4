"""What every service is: calls, tables, and what it does by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tcworker.embedded.api import Api
from tcworker.embedded.expiry import Job
from tcworker.embedded.ground import Ground
from tcworker.embedded.routing import Route, RouteTable


class ApiService:
    """A service: its calls, and what it does by itself between L{start} and L{stop}.

    @param name: as it stands in paths.
    @param routes: of its own calls; those by which each service shows that it lives are there as well.
    @param patterns: for what the parameters of its paths may be.
    @cvar schema: C{CREATE … IF NOT EXISTS} statements of its tables.
    @cvar expired: what deletes of these what has expired.
    @ivar api: its calls.
    """

    schema: ClassVar[str]
    expired: ClassVar[Sequence[Job]]

    def __init__(self, name: str, ground: Ground, routes: Sequence[Route], patterns: Mapping[str, str]) -> None:
        self.api = Api(name, RouteTable([*ground.heartbeat.routes(), *routes]), patterns)

    async def start(self) -> None:
        """Begin, before the first call comes."""

    async def tidy(self) -> None:
        """Forget whatever else has expired than what C{expired} deletes; called now and then, after that."""

    async def stop(self) -> None:
        """Answer those who wait, and do nothing by itself any more."""
