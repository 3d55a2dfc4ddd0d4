"""What is remembered of a run's report."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.report import Report, record_of
from tcworker.task.reporter import Reporter
from tcworker.task.resolution import COMPLETED
from tcworker.testing.facilities import FakeFacilities
from tcworker.waiting import Loose


class Owing(SynchronousTestCase):
    """A report is owed from the moment when the queue is told until it knows."""

    def setUp(self) -> None:
        clock = Clock()
        facilities = FakeFacilities(clock, self.mktemp())
        self.queue, self.memory, claim = facilities.queue, facilities.memory, facilities.claim()
        self.loose = Loose(Logger())
        self.report = Report(claim, Reporter(claim, self.queue, clock, lambda: 1000.0), self.memory, self.loose)
        self.memory.claimed(record_of(claim))

    def test_nothing_is_owed_of_a_run_that_has_not_ended_nor_of_one_that_the_queue_knows_of(self) -> None:
        self.assertFalse(self.report.owed)
        told = self.report.tell(COMPLETED)
        self.assertTrue(self.report.owed)
        self.queue.answer("report_completed")
        self.successResultOf(told)
        self.assertFalse(self.report.owed)

    def test_who_waits_sees_that_a_report_was_cut_short_whoever_is_cancelled_first(self) -> None:
        for order in (1, -1):
            self.setUp()
            told = self.report.tell(COMPLETED).addCallback(lambda _: self.assertTrue(self.report.owed))
            told.addErrback(lambda failure: failure.trap(CancelledError) and None)
            for cancel in [self.loose.cancel, told.cancel][::order]:
                cancel()
            self.successResultOf(told)
            self.assertTrue(self.report.owed)

    def test_what_the_queue_decided_itself_is_not_owed_even_for_a_moment(self) -> None:
        seen: list[bool] = []
        self.report.tell(COMPLETED).addCallback(lambda _: seen.append(self.report.owed))
        self.report.drop()
        self.assertEqual((self.report.owed, seen), (False, [False]))
