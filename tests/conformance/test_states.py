"""Every row of the queue's state machine, and what it refuses (contracts of the queue, 1.7)."""

from __future__ import annotations

from tests.conformance.case import ConformanceTestCase, Held, new_id, when

SCHEDULED = ("scheduled", "pending", None)
RUNNING = ("scheduled", "running", None)
COMPLETED = ("scheduled", "completed", "completed")
FAILED = ("scheduled", "failed", "failed")
CANCELED = ("scheduled", "exception", "canceled")
NEVER_RUN = ("exception", "exception", "canceled")
RERUN = ("rerun", "pending", None)

FINAL_REASONS = ("malformed-payload", "resource-unavailable", "internal-error")
RETRIED_REASONS = {"worker-shutdown": "retry", "intermittent-task": "task-retry"}


class StatesTestCase(ConformanceTestCase):
    def unscheduled(self) -> str:
        """Create a task that waits for one that does not run."""
        return self.create(dependencies=[self.create(taskQueueId="conformance/nobody")])

    def resolved(self) -> dict[str, str]:
        """Give tasks that are over, by how they ended."""
        completed, failed, malformed, canceled = (self.running() for _ in range(4))
        completed.complete()
        failed.fail()
        malformed.end_with("malformed-payload")
        self.queue.cancelTask(canceled.task_id)
        return {
            "completed": completed.task_id,
            "failed": failed.task_id,
            "malformed-payload": malformed.task_id,
            "canceled": canceled.task_id,
        }


class Beginnings(StatesTestCase):
    def test_a_new_task_is_pending(self) -> None:
        task_id = new_id()
        status = self.queue.createTask(task_id, self.definition(retries=3))["status"]
        [run] = status["runs"]
        self.assertEqual((status["state"], status["retriesLeft"]), ("pending", 3))
        self.assertEqual(set(run), {"runId", "state", "reasonCreated", "scheduled"})
        self.assertEqual((run["runId"], run["state"], run["reasonCreated"]), (0, "pending", "scheduled"))
        self.assertEqual(status, self.status(task_id))

    def test_one_that_waits_for_another_is_unscheduled(self) -> None:
        status = self.status(self.unscheduled())
        self.assertEqual((status["state"], status["runs"]), ("unscheduled", []))

    def test_it_can_be_scheduled_all_the_same(self) -> None:
        task_id = self.unscheduled()
        self.assertEqual(self.queue.scheduleTask(task_id)["status"]["state"], "pending")
        self.assertEqual(self.ends(task_id), [SCHEDULED])

    def test_scheduling_again_changes_nothing(self) -> None:
        for task_id in [*self.resolved().values(), self.create()]:
            before = self.status(task_id)
            self.assertEqual(self.queue.scheduleTask(task_id)["status"], before)

    def test_claimed_it_runs(self) -> None:
        held = self.running()
        status = self.status(held.task_id)
        [run] = status["runs"]
        self.assertEqual(status["state"], "running")
        self.assertEqual(
            set(run),
            {"runId", "state", "reasonCreated", "scheduled", "started", "workerGroup", "workerId", "takenUntil"},
        )
        self.assertEqual((run["workerGroup"], run["workerId"]), (self.worker_group, self.worker_id))
        self.assertLessEqual(when(run["scheduled"]), when(run["started"]))
        self.assertLess(when(run["started"]), when(run["takenUntil"]))


class Reports(StatesTestCase):
    def test_completed(self) -> None:
        held = self.running()
        status = held.complete()
        self.assertEqual(status["state"], "completed")
        self.assertEqual(self.ends(held.task_id), [COMPLETED])
        self.assertIn("resolved", status["runs"][0])

    def test_failed_is_not_tried_again(self) -> None:
        held = self.running(retries=5)
        self.assertEqual(held.fail()["retriesLeft"], 5)
        self.assertEqual(self.ends(held.task_id), [FAILED])

    def test_saying_the_same_again(self) -> None:
        for report in (Held.complete, Held.fail):
            held = self.running()
            self.assertEqual(report(held), report(held))

    def test_saying_something_else(self) -> None:
        held = self.running()
        held.complete()
        for other in (Held.fail, lambda run: run.end_with("internal-error")):
            with self.refused("RequestConflict"):
                other(held)
        other = self.running()
        other.fail()
        with self.refused("RequestConflict"):
            other.complete()
        self.assertEqual((self.ends(held.task_id), self.ends(other.task_id)), ([COMPLETED], [FAILED]))

    def test_old_workers_say_in_the_body_that_it_failed(self) -> None:
        held = self.running()
        answer = self.call("POST", f"{held.path}/completed", {"success": False}, credentials=held.credentials)
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.ends(held.task_id), [FAILED])

    def test_a_run_that_nobody_has_claimed(self) -> None:
        task_id = self.create()
        for report in (self.queue.reportCompleted, self.queue.reportFailed):
            with self.refused("RequestConflict"):
                report(task_id, 0)
        with self.refused("RequestConflict"):
            self.queue.reportException(task_id, 0, {"reason": "internal-error"})

    def test_a_run_or_task_that_is_not_there(self) -> None:
        for run in ((self.create(), 7), (new_id(), 0)):
            for report in (self.queue.reportCompleted, self.queue.reportFailed, self.queue.reclaimTask):
                with self.refused("ResourceNotFound"):
                    report(*run)
            with self.refused("ResourceNotFound"):
                self.queue.reportException(*run, {"reason": "internal-error"})

    def test_a_canceled_run(self) -> None:
        held = self.running()
        self.queue.cancelTask(held.task_id)
        for report in (Held.complete, Held.fail, lambda run: run.end_with("worker-shutdown"), Held.reclaim):
            with self.refused("RequestConflict"):
                report(held)

    def test_an_older_run(self) -> None:
        held = self.running()
        held.end_with("worker-shutdown")
        for report in (Held.complete, Held.fail, lambda run: run.end_with("internal-error"), Held.reclaim):
            with self.refused("RequestConflict"):
                report(held)


class Exceptions(StatesTestCase):
    def test_reasons_that_end_the_task(self) -> None:
        for reason in FINAL_REASONS:
            held = self.running()
            self.assertEqual(held.end_with(reason)["state"], "exception")
            self.assertEqual(self.ends(held.task_id), [("scheduled", "exception", reason)])

    def test_reasons_to_try_again(self) -> None:
        for reason, created in RETRIED_REASONS.items():
            held = self.running(retries=2)
            status = held.end_with(reason)
            self.assertEqual((status["state"], status["retriesLeft"]), ("pending", 1))
            self.assertEqual(self.ends(held.task_id), [("scheduled", "exception", reason), (created, "pending", None)])
            # It is somebody else's now, in every respect.
            again = self.claim()
            self.assertEqual(again.run, (held.task_id, 1))
            again.complete()

    def test_without_retries_left_it_is_over(self) -> None:
        for reason in RETRIED_REASONS:
            held = self.running(retries=0)
            self.assertEqual(held.end_with(reason)["state"], "exception")
            self.assertEqual(self.ends(held.task_id), [("scheduled", "exception", reason)])

    def test_retries_count_down(self) -> None:
        held = self.running(retries=1)
        held.end_with("worker-shutdown")
        status = self.claim().end_with("intermittent-task")
        self.assertEqual((status["retriesLeft"], status["state"], len(status["runs"])), (0, "exception", 2))

    def test_saying_the_same_again(self) -> None:
        for reason in ("internal-error", "worker-shutdown"):
            held = self.running()
            before = held.end_with(reason)
            self.assertEqual(held.end_with(reason), before)
            self.queue.cancelTask(held.task_id)

    def test_saying_it_again_two_runs_later(self) -> None:
        held = self.running()
        held.end_with("worker-shutdown")
        self.claim().end_with("worker-shutdown")
        with self.refused("RequestConflict"):
            held.end_with("worker-shutdown")

    def test_saying_something_else(self) -> None:
        held = self.running()
        held.end_with("internal-error")
        with self.refused("RequestConflict"):
            held.end_with("malformed-payload")

    def test_reasons_that_only_the_queue_gives(self) -> None:
        held = self.running()
        for reason in ("canceled", "deadline-exceeded", "claim-expired", "superseded", "completed", "whatever"):
            with self.refused("InputValidationError"):
                held.end_with(reason)


class Cancelling(StatesTestCase):
    def test_what_has_not_begun(self) -> None:
        for task_id, end in ((self.create(), CANCELED), (self.unscheduled(), NEVER_RUN)):
            self.assertEqual(self.queue.cancelTask(task_id)["status"]["state"], "exception")
            self.assertEqual(self.ends(task_id), [end])
            self.assertIn("resolved", self.status(task_id)["runs"][0])

    def test_what_runs(self) -> None:
        held = self.running()
        [run] = self.queue.cancelTask(held.task_id)["status"]["runs"]
        self.assertEqual(self.ends(held.task_id), [CANCELED])
        self.assertEqual((run["workerGroup"], run["workerId"]), (self.worker_group, self.worker_id))

    def test_what_is_over_stays_as_it_is(self) -> None:
        for task_id in self.resolved().values():
            before = self.status(task_id)
            self.assertEqual(self.queue.cancelTask(task_id)["status"], before)

    def test_a_canceled_task_is_not_handed_out(self) -> None:
        canceled, other = self.create(), self.create()
        self.queue.cancelTask(canceled)
        self.assertEqual([held.task_id for held in self.claim_work(tasks=5)], [other])

    def test_what_was_to_be_tried_again(self) -> None:
        held = self.running()
        held.end_with("worker-shutdown")
        self.queue.cancelTask(held.task_id)
        self.assertEqual(
            self.ends(held.task_id), [("scheduled", "exception", "worker-shutdown"), ("retry", "exception", "canceled")]
        )


class Reruns(StatesTestCase):
    def test_what_is_over_gets_another_run(self) -> None:
        for task_id in self.resolved().values():
            before = self.ends(task_id)
            self.assertEqual(self.queue.rerunTask(task_id)["status"]["state"], "pending")
            self.assertEqual(self.ends(task_id), [*before, RERUN])

    def test_what_has_not_begun_is_scheduled_whatever_it_waits_for(self) -> None:
        task_id = self.unscheduled()
        self.queue.rerunTask(task_id)
        self.assertEqual(self.ends(task_id), [RERUN])

    def test_what_waits_or_runs_stays_as_it_is(self) -> None:
        held = self.running()
        pending = self.create()
        for task_id in (pending, held.task_id):
            before = self.status(task_id)
            self.assertEqual(self.queue.rerunTask(task_id)["status"], before)

    def test_it_has_all_retries_again(self) -> None:
        held = self.running(retries=1)
        held.end_with("worker-shutdown")
        self.claim().fail()
        self.assertEqual(self.queue.rerunTask(held.task_id)["status"]["retriesLeft"], 1)

    def test_fifty_runs_are_the_most(self) -> None:
        held = self.running(retries=49)
        held.end_with("malformed-payload")
        for run_id in range(1, 50):
            status = self.queue.rerunTask(held.task_id)["status"]
            self.assertEqual(status["retriesLeft"], min(49, 49 - run_id))
            status = self.queue.cancelTask(held.task_id)["status"]
        self.assertEqual(len(status["runs"]), 50)
        with self.refused("RequestConflict"):
            self.queue.rerunTask(held.task_id)


class UnknownTasks(StatesTestCase):
    def test_there_is_nothing_to_do(self) -> None:
        for call in (self.queue.scheduleTask, self.queue.rerunTask, self.queue.cancelTask, self.queue.status):
            with self.refused("ResourceNotFound"):
                call(new_id())
        with self.refused("ResourceNotFound"):
            self.queue.task(new_id())
        with self.refused("ResourceNotFound"):
            self.queue.changeTaskPriority(new_id(), {"newPriority": "high"})

    def test_whoever_asks(self) -> None:
        nobody = self.limited().queue
        for call in (nobody.scheduleTask, nobody.rerunTask, nobody.cancelTask):
            with self.refused("ResourceNotFound"):
                call(new_id())
            with self.refused("InsufficientScopes"):
                call(self.create())
