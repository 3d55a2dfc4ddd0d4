"""Task groups: listing, sealing, cancelling, priorities (contracts of the queue, 1.2)."""

from __future__ import annotations

from tests.conformance.case import ConformanceTestCase, names, new_id


class GroupsTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.group = new_id()

    def member(self, scheduler_id: str = "conformance", **more: object) -> str:
        return self.create(taskGroupId=self.group, schedulerId=scheduler_id, **more)


class Listing(GroupsTestCase):
    def test_all_its_tasks(self) -> None:
        task_ids = {self.member() for _ in range(3)}
        listed = self.queue.listTaskGroup(self.group)
        self.assertEqual((listed["taskGroupId"], listed["schedulerId"]), (self.group, "conformance"))
        self.assertNotIn("sealed", listed)
        self.assertEqual({item["status"]["taskId"] for item in listed["tasks"]}, task_ids)
        for item in listed["tasks"]:
            self.assertEqual(item["status"], self.status(item["status"]["taskId"]))
            self.assertEqual(item["task"], self.queue.task(item["status"]["taskId"]))

    def test_page_by_page(self) -> None:
        task_ids = {self.member() for _ in range(5)}
        seen: list[str] = []

        def page(answer: dict[str, list[dict[str, str]]]) -> None:
            self.assertLessEqual(len(answer["tasks"]), 2)
            seen.extend(names([item["status"] for item in answer["tasks"]]))  # type: ignore[arg-type]  # JSON

        self.queue.listTaskGroup(params={"taskGroupId": self.group}, paginationLimit=2, paginationHandler=page)
        self.assertEqual((set(seen), len(seen)), (task_ids, 5))

    def test_the_group_alone(self) -> None:
        self.member()
        group = self.queue.getTaskGroup(self.group)
        self.assertEqual(set(group), {"taskGroupId", "schedulerId", "expires"})

    def test_a_group_of_one(self) -> None:
        task_id = self.create()
        self.assertEqual(self.queue.getTaskGroup(task_id)["schedulerId"], "-")

    def test_one_that_is_not_there(self) -> None:
        queue = self.queue
        for call in (queue.listTaskGroup, queue.getTaskGroup, queue.sealTaskGroup, queue.cancelTaskGroup):
            with self.refused("ResourceNotFound"):
                call(new_id())

    def test_one_scheduler_a_group(self) -> None:
        self.member()
        with self.refused("RequestConflict"):
            self.member(scheduler_id="another")


class Sealing(GroupsTestCase):
    def test_no_task_joins_any_more(self) -> None:
        definition = self.definition(taskGroupId=self.group, schedulerId="conformance")
        task_id = new_id()
        self.queue.createTask(task_id, definition)
        sealed = self.queue.sealTaskGroup(self.group)
        self.assertEqual(set(sealed), {"taskGroupId", "schedulerId", "expires", "sealed"})
        with self.refused("RequestConflict"):
            self.member()
        # Not even one that is in it already.
        with self.refused("RequestConflict"):
            self.queue.createTask(task_id, definition)
        self.assertEqual(self.queue.getTaskGroup(self.group), sealed)
        self.assertEqual(self.queue.listTaskGroup(self.group)["sealed"], sealed["sealed"])

    def test_sealing_again_changes_nothing(self) -> None:
        self.member()
        self.assertEqual(self.queue.sealTaskGroup(self.group), self.queue.sealTaskGroup(self.group))

    def test_its_tasks_go_on(self) -> None:
        held = self.running(taskGroupId=self.group, schedulerId="conformance")
        self.queue.sealTaskGroup(self.group)
        held.end_with("worker-shutdown")
        self.claim().complete()
        self.queue.rerunTask(held.task_id)
        self.assertEqual(self.status(held.task_id)["state"], "pending")

    def test_who_may(self) -> None:
        self.member()
        for verb in ("seal", "cancel"):
            method = f"{verb}TaskGroup"
            with self.refused("InsufficientScopes"):
                getattr(self.limited().queue, method)(self.group)
            getattr(self.limited(f"queue:{verb}-task-group:conformance/{self.group}").queue, method)(self.group)


class Cancelling(GroupsTestCase):
    def test_only_when_it_is_sealed(self) -> None:
        task_id = self.member()
        with self.refused("RequestConflict"):
            self.queue.cancelTaskGroup(self.group)
        self.assertEqual(self.status(task_id)["state"], "pending")

    def test_whatever_is_not_over(self) -> None:
        over = self.running(taskGroupId=self.group, schedulerId="conformance")
        over.complete()
        running = self.running(taskGroupId=self.group, schedulerId="conformance")
        pending = self.member()
        unscheduled = self.member(dependencies=[pending])
        self.queue.sealTaskGroup(self.group)
        answer = self.queue.cancelTaskGroup(self.group)
        canceled = {running.task_id, pending, unscheduled}
        self.assertEqual((answer["taskGroupId"], answer["taskGroupSize"]), (self.group, 4))
        self.assertEqual((answer["cancelledCount"], set(answer["taskIds"])), (3, canceled))
        for task_id in canceled:
            self.assertEqual(self.status(task_id)["runs"][-1]["reasonResolved"], "canceled")
        self.assertEqual(self.status(over.task_id)["state"], "completed")
        again = self.queue.cancelTaskGroup(self.group)
        self.assertEqual((again["cancelledCount"], again["taskIds"]), (0, []))


class Priorities(GroupsTestCase):
    def test_of_a_whole_group(self) -> None:
        task_ids = [self.member(priority="low"), self.member(priority="medium")]
        over = self.create(taskGroupId=self.group, schedulerId="conformance", priority="high")
        self.claim().complete()
        answer = self.queue.changeTaskGroupPriority(self.group, {"newPriority": "very-high"})
        self.assertEqual((answer["taskGroupId"], answer["tasksAffected"]), (self.group, 2))
        self.assertEqual([self.status(task_id)["priority"] for task_id in task_ids], ["very-high"] * 2)
        self.assertEqual(self.status(over)["priority"], "high")
        with self.refused("ResourceNotFound"):
            self.queue.changeTaskGroupPriority(new_id(), {"newPriority": "low"})
