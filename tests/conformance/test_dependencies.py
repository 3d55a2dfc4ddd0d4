"""Tasks that wait for others (contracts of the queue, 1.5 and 1.7)."""

from __future__ import annotations

from tests.conformance.case import ConformanceTestCase, Held, date, names, new_id

NOBODY = "conformance/nobody"


class DependenciesTestCase(ConformanceTestCase):
    def waiting_for(self, *task_ids: str, requires: str = "all-completed", **more: object) -> str:
        return self.create(dependencies=list(task_ids), requires=requires, taskQueueId=NOBODY, **more)

    def assertReleased(self, task_id: str) -> None:
        self.eventually(lambda: self.ends(task_id), [("scheduled", "pending", None)])

    def assertStillWaiting(self, task_id: str, released: str) -> None:
        """Look at a task once the queue has certainly looked at it: when it has released another."""
        self.assertReleased(released)
        self.assertEqual(self.status(task_id)["state"], "unscheduled")


class AllCompleted(DependenciesTestCase):
    def test_it_is_released_once_all_are_completed(self) -> None:
        first, second = self.running(), self.running()
        task_id = self.waiting_for(first.task_id, second.task_id)
        only_first = self.waiting_for(first.task_id)
        first.complete()
        self.assertStillWaiting(task_id, only_first)
        second.complete()
        self.assertReleased(task_id)

    def test_any_other_end_does_not_count(self) -> None:
        for end in (Held.fail, lambda held: held.end_with("internal-error"), self._cancel):
            held = self.running()
            task_id = self.waiting_for(held.task_id)
            other = self.waiting_for(held.task_id, requires="all-resolved")
            end(held)
            self.assertStillWaiting(task_id, other)

    def _cancel(self, held: Held) -> None:
        self.queue.cancelTask(held.task_id)

    def test_unless_a_rerun_is_better(self) -> None:
        held = self.running()
        task_id = self.waiting_for(held.task_id)
        held.fail()
        self.queue.rerunTask(held.task_id)
        self.claim().complete()
        self.assertReleased(task_id)

    def test_a_retry_is_no_end(self) -> None:
        held, other = self.running(), self.running()
        task_id = self.waiting_for(held.task_id, requires="all-resolved")
        held.end_with("worker-shutdown")
        released = self.waiting_for(other.task_id)
        other.complete()
        self.assertStillWaiting(task_id, released)
        self.claim().complete()
        self.assertReleased(task_id)

    def test_what_is_satisfied_already(self) -> None:
        held = self.running()
        held.complete()
        status = self.queue.createTask(new_id(), self.definition(dependencies=[held.task_id]))["status"]
        self.assertEqual(status["state"], "pending")


class AllResolved(DependenciesTestCase):
    def test_any_end_counts(self) -> None:
        completed, failed, canceled = self.running(), self.running(), self.running()
        task_id = self.waiting_for(*(held.task_id for held in (completed, failed, canceled)), requires="all-resolved")
        only_failed = self.waiting_for(failed.task_id, requires="all-resolved")
        failed.fail()
        self.assertStillWaiting(task_id, only_failed)
        completed.complete()
        self.queue.cancelTask(canceled.task_id)
        self.assertReleased(task_id)

    def test_an_end_counts_even_if_another_run_follows_at_once(self) -> None:
        held = self.running()
        task_id = self.waiting_for(held.task_id, requires="all-resolved")
        held.fail()
        self.queue.rerunTask(held.task_id)
        self.assertReleased(task_id)

    def test_what_is_satisfied_already(self) -> None:
        held = self.running()
        held.fail()
        waiting = self.definition(dependencies=[held.task_id], requires="all-resolved")
        self.assertEqual(self.queue.createTask(new_id(), waiting)["status"]["state"], "pending")


class Chains(DependenciesTestCase):
    def test_one_after_the_other(self) -> None:
        first = self.running()
        second = self.create(dependencies=[first.task_id])
        third = self.waiting_for(second)
        first.complete()
        self.assertStillWaiting(third, second)
        self.claim().complete()
        self.assertReleased(third)

    def test_a_task_that_waits_for_itself_waits(self) -> None:
        task_id = new_id()
        status = self.queue.createTask(task_id, self.definition(dependencies=[task_id]))["status"]
        self.assertEqual(status["state"], "unscheduled")
        self.assertEqual(self.queue.scheduleTask(task_id)["status"]["state"], "pending")

    def test_who_waits_for_a_task(self) -> None:
        task_id = self.create()
        waiting = {self.waiting_for(task_id) for _ in range(3)}
        listed = self.queue.listDependentTasks(task_id)
        self.assertEqual(listed["taskId"], task_id)
        self.assertEqual({item["status"]["taskId"] for item in listed["tasks"]}, waiting)
        for item in listed["tasks"]:
            self.assertEqual(item["task"], self.queue.task(item["status"]["taskId"]))

    def test_page_by_page(self) -> None:
        task_id = self.create()
        waiting = {self.waiting_for(task_id) for _ in range(5)}
        seen: list[str] = []
        self.queue.listDependentTasks(
            params={"taskId": task_id},
            paginationLimit=2,
            paginationHandler=lambda page: seen.extend(names([item["status"] for item in page["tasks"]])),
        )
        self.assertEqual((set(seen), len(seen)), (waiting, 5))

    def test_of_a_task_that_is_not_there(self) -> None:
        with self.refused("ResourceNotFound"):
            self.queue.listDependentTasks(new_id())


class Refusals(DependenciesTestCase):
    def test_a_task_that_is_not_there(self) -> None:
        task_id, lacking = new_id(), new_id()
        with self.refused("InputError") as said:
            self.queue.createTask(task_id, self.definition(dependencies=[self.create(), lacking]))
        self.assertIn(lacking, said[0])
        with self.refused("ResourceNotFound"):
            self.queue.task(task_id)

    def test_a_task_that_is_gone_before_the_deadline(self) -> None:
        early = self.create(deadline=date(hours=1), expires=date(hours=1))
        with self.refused("InputError"):
            self.queue.createTask(
                new_id(), self.definition(dependencies=[early], deadline=date(hours=2), expires=date(hours=3))
            )
