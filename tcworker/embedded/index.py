"""The Index service."""

from __future__ import annotations

from tcworker.embedded.api import Api
from tcworker.embedded.ground import ApiService, Ground
from tcworker.embedded.routing import RouteTable

SCHEMA = ""


class IndexService(ApiService):
    """Answers nothing yet."""

    def __init__(self, ground: Ground) -> None:
        self.api = Api("index", RouteTable(ground.heartbeat.routes()), {})
