"""A worker whose runs end as internal errors one after the other."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.internal_errors import IN_A_ROW, INTERNAL_ERROR, PAUSES, InternalErrors
from tcworker.errors import ProcessStatus
from tcworker.task.resolution import CANCELED, COMPLETED, FAILED, WORKER_SHUTDOWN, Resolution


class ErrorsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.errors = InternalErrors(self.clock, most=10)

    def fail_times(self, count: int) -> None:
        for _ in range(count):
            self.errors.ended(INTERNAL_ERROR)

    def held_for(self) -> float:
        """How long nothing may be claimed from now on."""
        begun = self.clock.seconds()
        while self.errors.why_held():
            self.clock.advance(1)
        return self.clock.seconds() - begun


class Holding(ErrorsTestCase):
    def test_two_are_no_reason(self) -> None:
        self.fail_times(IN_A_ROW - 1)
        self.assertEqual((self.held_for(), self.errors.claimable(8)), (0, 8))

    def test_three_in_a_row_are(self) -> None:
        self.fail_times(IN_A_ROW)
        self.assertIn("the last 3 runs", self.errors.why_held())
        self.assertGreaterEqual(self.held_for(), 0.75 * PAUSES.first)

    def test_one_that_ran_between_them_makes_it_none(self) -> None:
        for between in (COMPLETED, FAILED, Resolution("exception", "intermittent-task")):
            self.fail_times(IN_A_ROW - 1)
            self.errors.ended(between)
            self.fail_times(IN_A_ROW - 1)
            self.errors.ended(between)
            self.assertEqual(self.held_for(), 0)

    def test_what_says_nothing_about_the_worker_changes_nothing(self) -> None:
        for between in (CANCELED, WORKER_SHUTDOWN, Resolution("exception", "malformed-payload")):
            self.errors.ended(INTERNAL_ERROR)
            self.errors.ended(between)
        self.assertGreater(self.held_for(), 0)

    def test_afterwards_one_task_at_a_time_is_tried(self) -> None:
        self.fail_times(IN_A_ROW)
        self.held_for()
        self.assertEqual((self.errors.claimable(8), self.errors.claimable(0)), (1, 0))
        self.errors.began()
        self.assertGreater(self.held_for(), 0)

    def test_each_that_fails_as_well_makes_the_pause_longer(self) -> None:
        self.fail_times(IN_A_ROW)
        pauses = [self.held_for()]
        for _ in range(4):
            self.errors.began()
            self.errors.ended(INTERNAL_ERROR)
            pauses.append(self.held_for())
        self.assertEqual(pauses, sorted(pauses))
        self.assertGreater(pauses[-1], 5 * pauses[0])
        self.assertLessEqual(pauses[-1], PAUSES.most)

    def test_many_that_ran_side_by_side_count_as_one_try(self) -> None:
        self.fail_times(8)
        # Counted in whole seconds.
        self.assertLess(self.held_for(), 1.25 * PAUSES.first + 1)

    def test_one_that_goes_well_ends_it(self) -> None:
        self.fail_times(IN_A_ROW)
        self.errors.began()
        self.errors.ended(COMPLETED)
        self.assertEqual((self.errors.why_held(), self.errors.claimable(8)), ("", 8))
        self.fail_times(IN_A_ROW)
        self.assertLessEqual(self.held_for(), 1.25 * PAUSES.first)

    def test_a_clock_that_is_set_back_does_not_hold_it_for_longer(self) -> None:
        self.clock.advance(10000)
        self.fail_times(IN_A_ROW)
        self.clock.rightNow -= 5000
        self.assertEqual(self.errors.why_held(), "")


class TooMany(ErrorsTestCase):
    def test_they_end_the_worker_with_the_status_of_an_internal_error(self) -> None:
        self.fail_times(9)
        self.assertIsNone(self.errors.exit())
        self.fail_times(1)
        exit = self.errors.exit()
        assert exit is not None
        self.assertEqual(exit.status, ProcessStatus.INTERNAL_ERROR)
        self.assertIn("10 internal errors in a row", exit.why)

    def test_not_where_there_may_be_any_number(self) -> None:
        self.errors = InternalErrors(self.clock, most=0)
        self.fail_times(1000)
        self.assertIsNone(self.errors.exit())
