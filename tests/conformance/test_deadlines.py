"""What time does to a task: deadlines, claims that expire, late uploads (contracts of the queue, 1.4, 1.7 and 1.9)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest import SkipTest

from tests.conformance.artifact_case import ERROR, ArtifactTestCase
from tests.conformance.case import ConformanceTestCase, Held, date, ends, when
from tests.conformance.deployment import allow, hasty


@dataclass(frozen=True)
class Overdue:
    """Tasks with a deadline that is soon over.

    @ivar failed: the status of one that is over before.
    """

    running: Held
    failed: Any
    unscheduled: str
    pending: str


@dataclass(frozen=True)
class Claims:
    """Tasks of which all but one are lost by their worker.

    @ivar kept: the status of the one that was reclaimed all the time, and completed.
    @ivar last: has no retries.
    """

    kept: Any
    last: str
    lost: str
    task_queue: str


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


class Deadlines(ConformanceTestCase):
    """Of tasks that are made at once, so that the queue's delay after a deadline is waited for only once."""

    choose = staticmethod(hasty)
    made: ClassVar[Overdue | None] = None

    def setUp(self) -> None:
        super().setUp()
        # Not in setUpClass, which trial runs before each test.
        self.tasks = Deadlines.made = Deadlines.made or self.make()

    def make(self) -> Overdue:
        waited_for = self.create(taskQueueId="conformance/nobody")
        soon = date(seconds=3)
        failed, running = self.running(deadline=soon), self.running(deadline=soon, retries=5)
        unscheduled = self.create(deadline=soon, dependencies=[waited_for])
        return Overdue(running, failed.fail(), unscheduled, pending=self.create(deadline=soon))

    def until_over(self) -> None:
        """Wait; a queue may take more than a minute from a deadline until it ends what is not over."""
        for task_id in (self.tasks.running.task_id, self.tasks.pending, self.tasks.unscheduled):
            self.eventually(lambda task_id=task_id: self.status(task_id)["state"], "exception", 120)

    def test_the_queue_ends_what_is_not_over(self) -> None:
        self.until_over()
        past = ("exception", "deadline-exceeded")
        self.assertEqual(self.ends(self.tasks.running.task_id), [("scheduled", *past)])
        self.assertEqual(self.ends(self.tasks.pending), [("scheduled", *past)])
        self.assertEqual(self.ends(self.tasks.unscheduled), [("exception", *past)])
        for report in (Held.complete, Held.fail, Held.reclaim):
            with self.refused("RequestConflict"):
                report(self.tasks.running)

    def test_what_is_over_stays_as_it_is(self) -> None:
        self.until_over()
        self.assertEqual(self.status(self.tasks.failed["taskId"]), self.tasks.failed)


class ClaimExpiry(ConformanceTestCase):
    """Of claims that are made at once, so that their end is waited for only once."""

    choose = staticmethod(hasty)
    made: ClassVar[Claims | None] = None

    def setUp(self) -> None:
        super().setUp()
        self.claims = ClaimExpiry.made = ClaimExpiry.made or self.make()

    def make(self) -> Claims:
        kept, last, lost = self.running(), self.running(retries=0), self.running(retries=2)
        duration = when(lost.claim["takenUntil"]) - time.time()
        try:
            allow(duration)
        except SkipTest:
            for held in (kept, last, lost):
                held.complete()
            raise

        def look() -> set[str]:
            kept.reclaim()
            return {self.status(held.task_id)["runs"][0]["state"] for held in (last, lost)}

        self.eventually(look, {"exception"}, duration + 60)
        return Claims(kept.complete(), last.task_id, lost.task_id, self.task_queue)

    def test_another_worker_gets_the_task(self) -> None:
        status = self.status(self.claims.lost)
        self.assertEqual((status["state"], status["retriesLeft"]), ("pending", 1))
        self.assertEqual(ends(status), [("scheduled", "exception", "claim-expired"), ("retry", "pending", None)])
        self.task_queue = self.claims.task_queue
        [other] = self.claim_work(worker_id="another")
        self.assertEqual(other.run, (self.claims.lost, 1))
        other.complete()

    def test_unless_no_retries_are_left(self) -> None:
        status = self.status(self.claims.last)
        self.assertEqual(status["state"], "exception")
        self.assertEqual(ends(status), [("scheduled", "exception", "claim-expired")])

    def test_a_worker_that_reclaims_keeps_it(self) -> None:
        self.assertEqual(ends(self.claims.kept), [("scheduled", "completed", "completed")])


class UploadsAfterAnException(ArtifactTestCase):
    choose = staticmethod(hasty)

    def test_they_end_after_a_while(self) -> None:
        longest = self.deployment.uploads_after_exception
        allow(longest)
        self.held.end_with("internal-error")

        def make() -> str:
            answer = self.call("POST", f"{self.held.path}/artifacts/public/a", {**ERROR, "expires": expires})
            return "taken" if answer.status == 200 else str(answer.json["code"])

        expires = date(hours=1)
        self.assertEqual(make(), "taken")
        self.eventually(make, "RequestConflict", longest + 60)
