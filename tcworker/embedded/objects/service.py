"""The Object service."""

from __future__ import annotations

from tcworker.embedded.api import Api
from tcworker.embedded.ground import ApiService, Ground
from tcworker.embedded.routing import RouteTable

SCHEMA = ""


class ObjectService(ApiService):
    """Answers nothing yet."""

    def __init__(self, ground: Ground) -> None:
        self.api = Api("object", RouteTable(ground.heartbeat.routes()), {})
