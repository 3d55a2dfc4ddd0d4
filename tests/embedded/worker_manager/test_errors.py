"""What workers report that went wrong."""

from __future__ import annotations

from typing import Any

from tcworker.interfaces import Credentials
from tests.embedded.worker_manager.case import POOL, PoolTestCase

PATH = f"/worker-pool-errors/{POOL}"


class Errors(PoolTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.create_pool(), self.create_worker()
        self.take_told()

    def error(self, **more: Any) -> dict[str, Any]:
        texts = {"kind": "worker-error", "title": "No disk", "description": "It is full."}
        return {"workerGroup": "group", "workerId": "worker", "extra": {"x": 1}, **texts, **more}

    def test_it_is_reported_and_told(self) -> None:
        own = Credentials.from_json(self.register()["credentials"])
        error = self.ask("worker-manager", "POST", PATH, self.error(), own)
        named = {"workerGroup": "group", "workerId": "worker"}
        expected = {"workerPoolId": POOL, "kind": "worker-error", "title": "No disk", "description": "It is full."}
        self.assertEqual(
            error,
            {
                **expected,
                "extra": {"x": 1, **named},
                "errorId": error["errorId"],
                "reported": "2027-01-15T08:00:00.000Z",
            },
        )
        [(exchange, key, payload)] = self.take_told()
        self.assertEqual((exchange, key), ("worker-pool-error", "primary.static.prov.type.group.worker._._"))
        self.assertEqual(
            payload,
            {
                **{"workerPoolId": POOL, "providerId": "static", "errorId": error["errorId"], **named},
                **{"kind": "worker-error", "title": "No disk", "timestamp": error["reported"]},
            },
        )

    def test_everybody_may_read_them(self) -> None:
        error = self.ask("worker-manager", "POST", PATH, self.error())
        for path in (PATH, "/worker-pool-errors/stats", "/worker-pools", "/worker-pools/stats", f"/worker-pool/{POOL}"):
            answer = self.begin("GET", f"/api/worker-manager/v1{path}").answer()
            self.assertEqual(answer.status, 200, answer.content)
            if path == PATH:
                self.assertEqual(answer.json["workerPoolErrors"], [error])

    def test_the_last_ones_first_in_pages(self) -> None:
        first, second = (self.ask("worker-manager", "POST", PATH, self.error(title=title)) for title in "ab")
        page = self.ask("worker-manager", "GET", f"{PATH}?limit=1")
        self.assertEqual(page["workerPoolErrors"], [second])
        rest = self.ask("worker-manager", "GET", f"{PATH}?continuationToken={page['continuationToken']}")
        self.assertEqual(rest, {"workerPoolErrors": [first]})
        one = self.ask("worker-manager", "GET", f"{PATH}?errorId={first['errorId']}")
        self.assertEqual(one, rest)
        self.assertEqual(self.ask("worker-manager", "GET", f"{PATH}?launchConfigId=x"), {"workerPoolErrors": []})

    def test_only_by_the_worker_itself(self) -> None:
        own = Credentials.from_json(self.register()["credentials"])
        self.refused("worker-manager", 403, "InsufficientScopes", "POST", PATH, self.error(workerId="other"), own)

    def test_what_can_be_wrong_with_one(self) -> None:
        self.refused("worker-manager", 404, "ResourceNotFound", "POST", "/worker-pool-errors/prov/other", self.error())
        faults: list[dict[str, Any]] = [{"kind": ""}, {"kind": "a" * 129}, {"title": "a" * 129}, {"x": 1}]
        for fault in [*faults, {"extra": []}]:
            self.refused("worker-manager", 400, "InputValidationError", "POST", PATH, self.error(**fault))

    def test_they_are_counted(self) -> None:
        self.ask("worker-manager", "POST", PATH, self.error(extra={"code": "ENOSPC"}))
        self.reactor.advance(3600)
        self.ask("worker-manager", "POST", PATH, self.error(title="Other"))
        for query in ("", f"?workerPoolId={POOL}"):
            totals = self.ask("worker-manager", "GET", f"/worker-pool-errors/stats{query}")["totals"]
            self.assertEqual((totals["total"], totals["title"]), (2, {"No disk": 1, "Other": 1}))
            self.assertEqual((totals["code"], totals["workerPool"]), ({"ENOSPC": 1, "unknown": 1}, {POOL: 2}))
            self.assertEqual(totals["daily"], {"2027-01-15T00:00:00.000Z": 2})
            self.assertEqual(totals["hourly"], {f"2027-01-15T0{hour}:00:00.000Z": 1 for hour in (8, 9)})
        self.refused(
            "worker-manager", 404, "ResourceNotFound", "GET", "/worker-pool-errors/stats?workerPoolId=prov/other"
        )
