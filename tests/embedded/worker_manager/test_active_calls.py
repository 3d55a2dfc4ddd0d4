"""Workers that the queue has seen."""

from __future__ import annotations

from typing import Any

from tests.embedded.wire import QUEUE
from tests.embedded.worker_manager.case import PoolTestCase

PATH = "/provisioners/prov/worker-types/type/workers"


class Active(PoolTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.create_pool(), self.create_worker(capacity=2)
        self.task_ids = [self.create() for _ in range(2)]
        for worker in ("worker", "stranger"):
            body = {"workerGroup": "group", "workerId": worker, "tasks": 1}
            self.ask("queue", "POST", "/claim-work/prov%2Ftype", body)

    def workers(self, query: str = "") -> Any:
        return self.ask("worker-manager", "GET", PATH + query)["workers"]

    def names(self, query: str) -> list[str]:
        return [one["workerId"] for one in self.workers(query)]

    def test_known_or_not(self) -> None:
        stranger, known = self.workers()
        date = "2027-01-15T08:00:00.000Z"
        self.assertEqual(
            known,
            {
                **{"workerPoolId": "prov/type", "workerGroup": "group", "workerId": "worker"},
                **{"state": "running", "capacity": 2, "providerId": "static"},
                **{"firstClaim": date, "lastDateActive": date, "quarantineUntil": known["quarantineUntil"]},
                "latestTask": {"taskId": self.task_ids[0], "runId": 0},
            },
        )
        shown = {name: stranger[name] for name in ("workerId", "state", "capacity", "providerId")}
        self.assertEqual(shown, {"workerId": "stranger", "state": "standalone", "capacity": 0, "providerId": "none"})

    def test_some_of_them(self) -> None:
        self.assertEqual(self.names("?workerState=running"), ["worker"])
        self.assertEqual(self.names("?launchConfigId=x"), [])
        self.assertEqual(self.names("?quarantined=true"), [])
        path = f"{QUEUE}/provisioners/prov/worker-types/type/workers/group/stranger"
        self.call("PUT", path, {"quarantineUntil": self.date(hours=1)})
        self.assertEqual(self.names("?quarantined=true"), ["stranger"])
        self.assertEqual(self.names("?quarantined=false"), ["stranger", "worker"])

    def test_in_pages(self) -> None:
        page = self.ask("worker-manager", "GET", f"{PATH}?limit=1")
        rest = self.ask("worker-manager", "GET", f"{PATH}?continuationToken={page['continuationToken']}")
        self.assertEqual([*page["workers"], *rest["workers"]], self.workers())

    def test_a_single_one(self) -> None:
        worker = self.ask("worker-manager", "GET", f"{PATH}/group/worker")
        self.assertEqual((worker["provisionerId"], worker["workerType"]), ("prov", "type"))
        self.assertEqual(
            (worker["state"], worker["recentTasks"]), ("running", [{"taskId": self.task_ids[0], "runId": 0}])
        )
        self.refused("worker-manager", 404, "ResourceNotFound", "GET", f"{PATH}/group/nobody")
