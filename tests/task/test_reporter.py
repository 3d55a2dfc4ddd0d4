"""Telling the queue how a run ended."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.reporter import Reporter
from tcworker.task.resolution import CANCELED, COMPLETED, FAILED, WORKER_SHUTDOWN, Resolution
from tcworker.testing.facilities import FakeFacilities


class Reporting(SynchronousTestCase):
    """A reporter with time to spare."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.facilities = FakeFacilities(self.clock, self.mktemp())
        self.queue = self.facilities.queue
        self.left = 1000.0
        claim = self.facilities.claim()
        self.reporter = Reporter(claim, self.queue, self.clock, lambda: self.left)

    def report(self, resolution: Resolution) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.reporter.report(resolution))

    def test_each_resolution_has_its_call(self) -> None:
        for resolution, method in ((COMPLETED, "report_completed"), (FAILED, "report_failed")):
            reported = self.report(resolution)
            self.queue.answer(method)
            self.assertTrue(self.successResultOf(reported))

    def test_an_exception_says_its_reason(self) -> None:
        reported = self.report(WORKER_SHUTDOWN)
        self.assertEqual(self.queue.answer("report_exception").body, {"reason": "worker-shutdown"})
        self.assertTrue(self.successResultOf(reported))

    def test_an_outage_is_sat_out(self) -> None:
        reported = self.report(COMPLETED)
        for _ in range(10):
            self.queue.lose("report_completed")
            self.assertNoResult(reported)
            self.clock.advance(40)
        self.queue.answer("report_completed")
        self.assertTrue(self.successResultOf(reported))

    def test_an_error_of_the_server_is_an_outage_too(self) -> None:
        reported = self.report(COMPLETED)
        self.queue.refuse("report_completed", 500, "InternalServerError")
        self.clock.advance(2)
        self.queue.answer("report_completed")
        self.assertTrue(self.successResultOf(reported))

    def test_a_conflict_settles_it_somebody_was_faster(self) -> None:
        reported = self.report(COMPLETED)
        self.queue.refuse("report_completed", 409)
        self.queue.answer("status", {"status": {"runs": [{"runId": 0, "reasonResolved": "canceled"}]}})
        self.assertTrue(self.successResultOf(reported))
        self.assertEqual(self.reporter.ended, CANCELED)

    def test_that_the_queue_does_not_say_how_it_ended_keeps_nobody_for_long(self) -> None:
        reported = self.report(COMPLETED)
        self.queue.refuse("report_completed", 409)
        self.assertNoResult(reported)
        self.clock.advance(10)
        self.assertTrue(self.successResultOf(reported))
        self.assertEqual((self.reporter.ended, self.clock.getDelayedCalls()), (CANCELED, []))

    def test_a_task_that_is_gone_settles_it(self) -> None:
        reported = self.report(COMPLETED)
        self.queue.refuse("report_completed", 404, "ResourceNotFound")
        self.assertTrue(self.successResultOf(reported))
        self.assertIsNone(self.reporter.ended)

    def test_another_refusal_does_not(self) -> None:
        for status, code in ((401, "AuthenticationFailed"), (403, ""), (404, ""), (429, "")):
            reported = self.report(COMPLETED)
            self.queue.refuse("report_completed", status, code)
            self.clock.advance(2)
            self.queue.answer("report_completed")
            self.assertTrue(self.successResultOf(reported))

    def test_what_cannot_be_told_in_time_is_owed(self) -> None:
        reported = self.report(COMPLETED)
        self.left = 0.5
        self.queue.lose("report_completed")
        self.assertFalse(self.successResultOf(reported))

    def test_a_last_attempt_is_made_just_before_the_time_is_over(self) -> None:
        claimed_until = self.clock.seconds() + 100.0
        claim = self.facilities.claim()
        self.reporter = Reporter(claim, self.queue, self.clock, lambda: claimed_until - self.clock.seconds())
        reported = self.report(COMPLETED)
        for _ in range(99):
            for call in self.queue.waiting("report_completed"):
                self.queue.lose(call.method)
            self.assertNoResult(reported)
            self.clock.advance(1)
        self.queue.answer("report_completed")
        self.assertTrue(self.successResultOf(reported))

    def test_it_can_be_cancelled_in_a_pause(self) -> None:
        reported = self.report(COMPLETED)
        self.queue.lose("report_completed")
        reported.cancel()
        self.failureResultOf(reported)
        self.assertEqual(self.clock.getDelayedCalls(), [])
