"""What the queue knows of workers: declared, seen, quarantined (contracts of the queue, 1.8)."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.case import ConformanceTestCase, date, names, new_id
from tests.conformance.deployment import patient


class WorkersTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.provisioner_id, self.worker_type = self.task_queue.split("/")
        self.worker = (self.provisioner_id, self.worker_type, self.worker_group, self.worker_id)

    def declare(self) -> Any:
        return self.queue.declareWorker(*self.worker, {"expires": date(hours=1)})


class Seen(WorkersTestCase):
    def test_a_worker_that_claims_is_known(self) -> None:
        held = self.running()
        worker = self.queue.getWorker(*self.worker)
        self.assertEqual(
            [worker[name] for name in ("provisionerId", "workerType", "workerGroup", "workerId")], list(self.worker)
        )
        self.assertEqual(worker["taskQueueId"], self.task_queue)
        self.assertEqual(worker["recentTasks"], [{"taskId": held.task_id, "runId": 0}])
        for name in ("expires", "firstClaim"):
            self.assertIn(name, worker)

    def test_twenty_recent_tasks_are_remembered(self) -> None:
        for _ in range(22):
            self.create()
        runs = [run.task_id for run in self.claim_work(tasks=22)]
        recent = [run["taskId"] for run in self.queue.getWorker(*self.worker)["recentTasks"]]
        self.assertEqual(len(recent), 20)
        self.assertLess(set(recent), set(runs))

    def test_so_is_its_queue(self) -> None:
        self.running()
        queue = self.queue.getTaskQueue(self.task_queue)
        self.assertEqual(queue["taskQueueId"], self.task_queue)
        for name in ("expires", "lastDateActive", "description", "stability"):
            self.assertIn(name, queue)

    def test_the_older_views(self) -> None:
        self.running()
        self.assertEqual(self.queue.getProvisioner(self.provisioner_id)["provisionerId"], self.provisioner_id)
        kind = self.queue.getWorkerType(self.provisioner_id, self.worker_type)
        self.assertEqual(kind["workerType"], self.worker_type)
        kinds = self.queue.listWorkerTypes(self.provisioner_id)["workerTypes"]
        self.assertEqual(names(kinds, "workerType"), [self.worker_type])
        workers = self.queue.listWorkers(self.provisioner_id, self.worker_type)["workers"]
        self.assertEqual(names(workers, "workerId"), [self.worker_id])

    def test_the_lists_of_all(self) -> None:
        self.running()
        seen: list[str] = []
        self.queue.listTaskQueues(
            paginationLimit=100, paginationHandler=lambda page: seen.extend(names(page["taskQueues"], "taskQueueId"))
        )
        self.queue.listProvisioners(
            paginationLimit=100,
            paginationHandler=lambda page: seen.extend(names(page["provisioners"], "provisionerId")),
        )
        self.assertEqual((seen.count(self.task_queue), seen.count(self.provisioner_id)), (1, 1))

    def test_what_is_not_known(self) -> None:
        with self.refused("ResourceNotFound"):
            self.queue.getWorker(*self.worker)
        with self.refused("ResourceNotFound"):
            self.queue.getTaskQueue(self.task_queue)
        with self.refused("ResourceNotFound"):
            self.queue.quarantineWorker(*self.worker, {"quarantineUntil": date(hours=1)})


class Declared(WorkersTestCase):
    def test_before_it_claims(self) -> None:
        self.assertEqual(self.declare()["workerId"], self.worker_id)
        worker = self.queue.getWorker(*self.worker)
        self.assertEqual(worker["recentTasks"], [])
        self.declare()

    def test_what_must_be_said(self) -> None:
        for body in ({}, {"expires": "tomorrow"}, {"expires": date(hours=1), "more": 1}):
            with self.refused("InputValidationError"):
                self.queue.declareWorker(*self.worker, body)

    def test_who_may(self) -> None:
        with self.refused("InsufficientScopes"):
            self.limited().queue.declareWorker(*self.worker, {"expires": date(hours=1)})
        scope = f"queue:declare-worker:{'/'.join(self.worker)}#expires"
        self.limited(scope).queue.declareWorker(*self.worker, {"expires": date(hours=1)})


class Quarantined(WorkersTestCase):
    choose = staticmethod(patient)

    def test_it_gets_nothing_until_it_is_let_go(self) -> None:
        self.declare()
        told = self.queue.quarantineWorker(*self.worker, {"quarantineUntil": date(hours=1), "quarantineInfo": "why"})
        self.assertIn("quarantineUntil", told)
        task_id = self.create()
        began = time.monotonic()
        self.assertEqual(self.claim_work(), [])
        # The worker cannot tell: it waits as long as if there were nothing.
        self.assertGreater(time.monotonic() - began, self.deployment.hold - 0.2)
        self.assertEqual(self.status(task_id)["state"], "pending")
        self.queue.quarantineWorker(*self.worker, {"quarantineUntil": date(hours=-1)})
        self.assertEqual(self.claim().task_id, task_id)

    def test_only_that_worker(self) -> None:
        self.declare()
        self.queue.quarantineWorker(*self.worker, {"quarantineUntil": date(hours=1)})
        task_id = self.create()
        [held] = self.claim_work(worker_id="another")
        self.assertEqual(held.task_id, task_id)

    def test_its_story(self) -> None:
        self.declare()
        for info in ("first", "second"):
            self.queue.quarantineWorker(*self.worker, {"quarantineUntil": date(hours=1), "quarantineInfo": info})
        told = self.queue.getWorker(*self.worker)
        details = told["quarantineDetails"]
        self.assertEqual(names(details, "quarantineInfo"), ["first", "second"])
        for entry in details:
            self.assertEqual(set(entry), {"clientId", "updatedAt", "quarantineUntil", "quarantineInfo"})

    def test_the_list_can_be_of_them_alone(self) -> None:
        self.declare()
        kinds = (self.provisioner_id, self.worker_type)

        def listed(quarantined: str) -> list[str]:
            params = dict(zip(("provisionerId", "workerType"), kinds, strict=True))
            answer = self.queue.listWorkers(params=params, query={"quarantined": quarantined})
            return names(answer["workers"], "workerId")

        self.assertEqual((listed("true"), listed("false")), ([], [self.worker_id]))
        self.queue.quarantineWorker(*self.worker, {"quarantineUntil": date(hours=1)})
        self.assertEqual((listed("true"), listed("false")), ([self.worker_id], []))

    def test_who_may(self) -> None:
        self.declare()
        body = {"quarantineUntil": date(hours=-1)}
        with self.refused("InsufficientScopes"):
            self.limited().queue.quarantineWorker(*self.worker, body)
        self.limited(f"queue:quarantine-worker:{'/'.join(self.worker)}").queue.quarantineWorker(*self.worker, body)
        with self.refused("InputValidationError"):
            self.queue.quarantineWorker(*self.worker, {"quarantineInfo": new_id()})
