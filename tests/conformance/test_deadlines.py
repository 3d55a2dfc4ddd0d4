"""What time does to a task: deadlines, and claims that expire (contracts of the queue, 1.4 and 1.7)."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.case import ConformanceTestCase, HastyTestCase, Held, date

RUNNING = ("scheduled", "running", None)


class PassedDeadlines(ConformanceTestCase):
    def test_nothing_changes_a_task_any_more(self) -> None:
        """Between the deadline and the queue noticing it; a server that is slow to notice makes no difference."""
        over = self.running(deadline=date(seconds=2))
        over.complete()
        pending = self.create(deadline=date(seconds=2))
        time.sleep(2.2)
        for task_id in (pending, over.task_id):
            for call in (self.queue.scheduleTask, self.queue.rerunTask, self.queue.cancelTask):
                with self.refused("RequestConflict"):
                    call(task_id)
            with self.refused("RequestConflict"):
                self.queue.changeTaskPriority(task_id, {"newPriority": "high"})
        with self.refused("RequestConflict"):
            self.queue.claimTask(pending, 0, {"workerGroup": self.worker_group, "workerId": self.worker_id})

    def test_a_run_can_still_be_reported_but_not_reclaimed(self) -> None:
        held = self.running(deadline=date(seconds=2))
        time.sleep(2.2)
        with self.refused("RequestConflict"):
            held.reclaim()
        self.assertEqual(held.complete()["state"], "completed")


class Deadlines(HastyTestCase):
    def test_the_queue_ends_what_is_not_over(self) -> None:
        held = self.running(deadline=date(seconds=2), retries=5)
        pending = self.create(deadline=date(seconds=1))
        unscheduled = self.create(
            deadline=date(seconds=1), dependencies=[self.create(taskQueueId="conformance/nobody")]
        )
        past = ("exception", "deadline-exceeded")
        for task_id, created in ((held.task_id, "scheduled"), (pending, "scheduled"), (unscheduled, "exception")):
            self.eventually(lambda task_id=task_id: self.ends(task_id), [(created, *past)])
        for report in (Held.complete, Held.fail, Held.reclaim):
            with self.refused("RequestConflict"):
                report(held)

    def test_what_is_over_stays_as_it_is(self) -> None:
        held = self.running(deadline=date(seconds=2))
        before = held.fail()
        other = self.create(deadline=date(seconds=2))
        self.eventually(lambda: self.status(other)["state"], "exception")
        self.assertEqual(self.status(held.task_id), before)


class ClaimExpiry(HastyTestCase):
    def lost(self, held: Held) -> Any:
        self.eventually(lambda: self.status(held.task_id)["runs"][0]["state"], "exception")
        return self.status(held.task_id)

    def test_another_worker_gets_the_task(self) -> None:
        held = self.running(retries=2)
        status = self.lost(held)
        self.assertEqual((status["state"], status["retriesLeft"]), ("pending", 1))
        self.assertEqual(
            self.ends(held.task_id), [("scheduled", "exception", "claim-expired"), ("retry", "pending", None)]
        )
        [other] = self.claim_work(worker_id="another")
        self.assertEqual(other.run, (held.task_id, 1))
        other.complete()

    def test_unless_no_retries_are_left(self) -> None:
        held = self.running(retries=0)
        self.assertEqual(self.lost(held)["state"], "exception")
        self.assertEqual(self.ends(held.task_id), [("scheduled", "exception", "claim-expired")])

    def test_a_worker_that_reclaims_keeps_it(self) -> None:
        kept, lost = self.running(), self.running()
        end = time.monotonic() + 10
        while self.status(lost.task_id)["runs"][0]["state"] == "running" and time.monotonic() < end:
            self.queue.reclaimTask(*kept.run)
            time.sleep(0.5)
        self.assertEqual(self.ends(kept.task_id), [RUNNING])
        self.assertEqual(self.queue.reportCompleted(*kept.run)["status"]["state"], "completed")
