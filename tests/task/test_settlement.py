"""Runs that nobody runs here."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.report import record_of
from tcworker.task.resolution import COMPLETED, WORKER_SHUTDOWN
from tcworker.task.settlement import Settlement
from tcworker.testing.facilities import FakeFacilities


class GivingBack(SynchronousTestCase):
    """A claim that is not begun."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.facilities = FakeFacilities(self.clock, self.mktemp())
        self.queue, self.memory = self.facilities.queue, self.facilities.memory
        self.worker_left = 1e6
        self.claim = self.facilities.claim(seconds=300)
        self.settlement = Settlement(self.claim, self.facilities, lambda: self.worker_left)

    def give_back(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.settlement.give_back(WORKER_SHUTDOWN))

    def lose_reports(self, seconds: int) -> None:
        for _ in range(seconds):
            for call in self.queue.waiting("report_exception"):
                self.queue.lose(call.method)
            self.clock.advance(1)

    def test_it_is_remembered_until_the_queue_knows(self) -> None:
        given = self.give_back()
        self.assertEqual(list(self.memory.kept), [(self.claim.task_id, 0)])
        self.assertEqual(self.queue.answer("report_exception").body, {"reason": "worker-shutdown"})
        self.successResultOf(given)
        self.assertEqual(self.memory.kept, {})

    def test_a_folder_that_was_made_for_it_goes(self) -> None:
        folder = self.facilities.folder_of(self.claim)
        os.makedirs(folder)
        given = self.give_back()
        self.queue.answer("report_exception")
        self.successResultOf(given)
        self.assertFalse(os.path.exists(folder))

    def test_what_the_queue_is_told_does_not_depend_on_the_disk(self) -> None:
        self.patch(self.memory, "claimed", lambda record: fail(OSError("disk full")))
        given = self.give_back()
        self.queue.answer("report_exception")
        self.successResultOf(given)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_an_outage_is_sat_out_as_long_as_the_claim_lasts(self) -> None:
        given = self.give_back()
        self.lose_reports(250)
        self.assertNoResult(given)
        self.clock.advance(30)
        self.queue.answer("report_exception")
        self.successResultOf(given)

    def test_after_the_claim_nothing_is_owed(self) -> None:
        given = self.give_back()
        self.lose_reports(301)
        self.successResultOf(given)
        self.assertEqual((self.memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def test_what_the_worker_has_no_time_for_is_left_to_the_next_start(self) -> None:
        self.worker_left = 5.0
        given = self.give_back()
        self.lose_reports(1)
        self.worker_left = 1.0
        self.lose_reports(5)
        self.successResultOf(given)
        (kept,) = self.memory.kept.values()
        self.assertEqual((kept.resolution, self.clock.getDelayedCalls()), (WORKER_SHUTDOWN, []))

    def test_the_next_start_tells_what_was_to_be_told(self) -> None:
        record = replace(record_of(self.claim), resolution=COMPLETED)
        settlement = Settlement.of_left_run(record, self.facilities, lambda: self.worker_left)
        told = Deferred.fromCoroutine(settlement.tell(COMPLETED))
        self.queue.answer("report_completed")
        self.assertTrue(self.successResultOf(told))

    def test_dropped_it_leaves_no_timer(self) -> None:
        given = self.give_back()
        self.lose_reports(1)
        given.cancel()
        self.failureResultOf(given)
        self.assertEqual((len(self.memory.kept), self.clock.getDelayedCalls()), (1, []))
