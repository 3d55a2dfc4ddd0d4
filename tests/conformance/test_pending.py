"""What waits in a task queue, in which order, and how it is counted and listed (contracts of the queue, 1.2, 1.3)."""

from __future__ import annotations

from itertools import cycle

from tests.conformance.case import QUEUE, ConformanceTestCase, names

PRIORITIES = ("highest", "very-high", "high", "medium", "low", "very-low", "lowest")


class Order(ConformanceTestCase):
    def handed_out(self) -> list[str]:
        return [held.task_id for held in self.claim_work(tasks=32)]

    def test_by_priority(self) -> None:
        by_priority = {priority: self.create(priority=priority) for priority in reversed(PRIORITIES)}
        self.assertEqual(self.handed_out(), [by_priority[priority] for priority in PRIORITIES])

    def test_then_by_age(self) -> None:
        task_ids = [self.create(priority="low") for _ in range(5)]
        self.assertEqual(self.handed_out(), task_ids)

    def test_a_changed_priority_counts_at_once(self) -> None:
        low, high = self.create(priority="low"), self.create(priority="high")
        status = self.queue.changeTaskPriority(low, {"newPriority": "highest"})["status"]
        self.assertEqual(status["priority"], "highest")
        self.assertEqual(self.queue.task(low)["priority"], "highest")
        self.assertEqual(self.handed_out(), [low, high])

    def test_priorities_that_cannot_be_changed(self) -> None:
        task_id = self.create(priority="low")
        with self.refused("RequestConflict"):
            self.queue.changeTaskPriority(task_id, {"newPriority": "low"})
        with self.refused("InputValidationError"):
            self.queue.changeTaskPriority(task_id, {"newPriority": "normal"})
        self.claim().complete()
        # The real one notices a resolution a little later.
        path = f"{QUEUE}/task/{task_id}/priority"
        choices = cycle(["high", "medium"])
        self.eventually(lambda: self.call("POST", path, {"newPriority": next(choices)}).status, 409)

    def test_who_may_change_them(self) -> None:
        task_id = self.create(priority="low")
        with self.refused("InsufficientScopes"):
            self.limited().queue.changeTaskPriority(task_id, {"newPriority": "high"})
        self.limited(f"queue:change-task-priority:{task_id}").queue.changeTaskPriority(task_id, {"newPriority": "high"})
        in_queue = f"queue:change-task-priority-in-queue:{self.task_queue}"
        self.limited(in_queue).queue.changeTaskPriority(task_id, {"newPriority": "low"})


class Counts(ConformanceTestCase):
    def counts(self) -> tuple[int, int]:
        told = self.queue.taskQueueCounts(self.task_queue)
        provisioner_id, worker_type = self.task_queue.split("/")
        self.assertEqual(
            {name: told[name] for name in ("taskQueueId", "provisionerId", "workerType")},
            {"taskQueueId": self.task_queue, "provisionerId": provisioner_id, "workerType": worker_type},
        )
        return told["pendingTasks"], told["claimedTasks"]

    def test_they_follow_the_tasks(self) -> None:
        self.assertEqual(self.counts(), (0, 0))
        first, second = self.create(), self.create()
        self.assertEqual(self.counts(), (2, 0))
        held = self.claim()
        self.assertEqual(self.counts(), (1, 1))
        self.queue.cancelTask(second)
        held.end_with("worker-shutdown")
        self.assertEqual(self.counts(), (1, 0))
        self.claim().complete()
        self.assertEqual(self.counts(), (0, 0))
        self.assertEqual(self.status(first)["state"], "completed")

    def test_the_old_count(self) -> None:
        self.create()
        told = self.queue.pendingTasks(self.task_queue)
        self.assertEqual((told["taskQueueId"], told["pendingTasks"]), (self.task_queue, 1))

    def test_an_unscheduled_task_does_not_count(self) -> None:
        self.create(dependencies=[self.create(taskQueueId="conformance/nobody")])
        self.assertEqual(self.counts(), (0, 0))

    def test_a_raw_slash_in_the_name(self) -> None:
        for name in (self.task_queue, self.task_queue.replace("/", "%2F")):
            self.assertEqual(self.call("GET", f"{QUEUE}/task-queues/{name}/counts").status, 200)


class Lists(ConformanceTestCase):
    def test_pending_in_order_of_arrival(self) -> None:
        task_ids = [self.create(priority=priority) for priority in ("low", "high", "medium")]
        listed = self.queue.listPendingTasks(self.task_queue)["tasks"]
        self.assertEqual(names(listed), task_ids)
        for item in listed:
            self.assertEqual(set(item), {"taskId", "runId", "task", "inserted"})
            self.assertEqual((item["runId"], item["task"]), (0, self.queue.task(item["taskId"])))

    def test_claimed_the_oldest_first(self) -> None:
        held = [self.running() for _ in range(3)]
        listed = self.queue.listClaimedTasks(self.task_queue)["tasks"]
        self.assertEqual(names(listed), [run.task_id for run in held])
        for item in listed:
            self.assertEqual(set(item), {"taskId", "runId", "workerGroup", "workerId", "claimed", "task"})
            self.assertEqual((item["workerGroup"], item["workerId"]), (self.worker_group, self.worker_id))
        held[0].complete()
        self.assertEqual(len(self.queue.listClaimedTasks(self.task_queue)["tasks"]), 2)

    def test_page_by_page(self) -> None:
        task_ids = [self.create() for _ in range(5)]
        seen: list[str] = []
        self.queue.listPendingTasks(
            params={"taskQueueId": self.task_queue},
            paginationLimit=2,
            paginationHandler=lambda page: seen.extend(names(page["tasks"])),
        )
        self.assertEqual(seen, task_ids)

    def test_who_may_look(self) -> None:
        for method, scope in (
            ("listPendingTasks", "queue:pending-list"),
            ("listClaimedTasks", "queue:claimed-list"),
        ):
            with self.refused("InsufficientScopes"):
                getattr(self.limited().queue, method)(self.task_queue)
            getattr(self.limited(f"{scope}:{self.task_queue}").queue, method)(self.task_queue)
