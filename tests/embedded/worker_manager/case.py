"""A pool to test with."""

from __future__ import annotations

from typing import Any

from tcworker.embedded.outbox import Message
from tests.embedded.wire import WireTestCase

PREFIX = "/api/worker-manager/v1"
SECRET = "s" * 44
POOL = "prov/type"
WORKER = "/workers/prov%2Ftype/group/worker"


class PoolTestCase(WireTestCase):
    """A server, and what it tells of its worker-manager."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[Message] = []
        self.taskcluster.outbox.listen(self.told.append)

    def pool(self, **more: Any) -> dict[str, Any]:
        return {
            "providerId": "static",
            "description": "d",
            "config": {"workerConfig": {"a": 1}},
            "owner": "me@example.com",
            "emailOnError": False,
            **more,
        }

    def create_pool(self, **more: Any) -> Any:
        return self.ask("worker-manager", "PUT", f"/worker-pool/{POOL}", self.pool(**more))

    def worker(self, **more: Any) -> dict[str, Any]:
        return {"expires": self.date(days=1), "providerInfo": {"staticSecret": SECRET}, **more}

    def create_worker(self, name: str = "worker", **more: Any) -> Any:
        return self.ask("worker-manager", "PUT", f"/workers/prov%2Ftype/group/{name}", self.worker(**more))

    def application(self, proof: Any = None, **more: Any) -> dict[str, Any]:
        return {
            "workerPoolId": POOL,
            "providerId": "static",
            "workerGroup": "group",
            "workerId": "worker",
            "workerIdentityProof": proof or {"staticSecret": SECRET},
            **more,
        }

    def register(self, proof: Any = None, **more: Any) -> Any:
        return self.ask("worker-manager", "POST", "/worker/register", self.application(proof, **more))

    def take_told(self) -> list[tuple[str, str, Any]]:
        """Give what was told since the last time: exchange, routing key and payload."""
        told = [(one.exchange, one.routing_key, one.payload) for one in self.told if one.service == "worker-manager"]
        self.told.clear()
        return told
