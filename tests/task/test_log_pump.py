"""Keeping up with something that grows."""

from __future__ import annotations

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.log_pump import SMALL, Pump
from tests.task.held import Held

MUCH = SMALL + 1


class PumpTests(SynchronousTestCase):
    """A pump whose steps take the first of what is there.

    @ivar there: sizes of what is to be dealt with.
    @ivar taken: what a step dealt with.
    """

    def setUp(self) -> None:
        self.there: list[int] = []
        self.taken: list[int] = []
        self.broken: list[Failure] = []
        self.threads = Held()
        self.pump = Pump(self.threads, lambda: sum(self.there), self.step, self.taken.append, self.broken.append)

    def step(self) -> int:
        return self.there.pop(0)

    def end_thread(self) -> None:
        """Let the oldest job in a thread do its step."""
        self.threads.jobs.pop(0).callback(self.step())

    def test_little_is_done_at_once(self) -> None:
        self.there = [1, 2]
        self.pump.kick()
        self.assertEqual((self.taken, self.threads.jobs), ([1, 2], []))

    def test_much_is_done_in_a_thread_one_step_after_the_other(self) -> None:
        self.there = [MUCH, MUCH]
        self.pump.kick()
        self.pump.kick()
        self.assertEqual((self.taken, len(self.threads.jobs)), ([], 1))
        self.end_thread()
        self.assertEqual((self.taken, len(self.threads.jobs)), ([MUCH], 1))
        self.end_thread()
        self.assertEqual((self.taken, self.threads.jobs), ([MUCH, MUCH], []))

    def test_what_a_step_leads_to_is_dealt_with_too(self) -> None:
        def grow(size: int) -> None:
            self.taken.append(size)
            if size == 1:
                self.there.append(2)
                self.pump.kick()

        self.pump = Pump(self.threads, lambda: sum(self.there), self.step, grow, self.broken.append)
        self.there = [1]
        self.pump.kick()
        self.assertEqual(self.taken, [1, 2])

    def test_caught_up_is_when_nothing_is_left(self) -> None:
        self.there = [MUCH]
        caught_up = self.pump.caught_up()
        self.assertNoResult(caught_up)
        self.end_thread()
        self.successResultOf(caught_up)
        self.successResultOf(self.pump.caught_up())

    def test_stopped_it_ends_the_step_under_way_and_begins_no_other(self) -> None:
        self.there = [MUCH, 1]
        self.pump.kick()
        stopped = self.pump.stop()
        self.assertNoResult(stopped)
        self.end_thread()
        self.successResultOf(stopped)
        self.assertEqual((self.taken, self.there), ([MUCH], [1]))

    def test_a_step_that_fails_is_the_last(self) -> None:
        self.there = [MUCH]
        caught_up = self.pump.caught_up()
        self.threads.jobs[0].errback(OSError("full"))
        self.successResultOf(caught_up)
        self.assertTrue(self.broken[0].check(OSError))
        self.pump.kick()
        self.assertEqual(len(self.threads.jobs), 1)

    def test_a_little_step_that_fails(self) -> None:
        self.pump = Pump(self.threads, lambda: 1, self.step, self.taken.append, self.broken.append)
        self.successResultOf(self.pump.caught_up())
        self.assertTrue(self.broken[0].check(IndexError))

    def test_nobody_waits_for_ever_whoever_else_fails(self) -> None:
        def refuse(failure: Failure) -> None:
            raise ValueError("no")

        self.pump = Pump(self.threads, lambda: MUCH, self.step, self.taken.append, refuse)
        caught_up = self.pump.caught_up()
        self.threads.jobs[0].errback(OSError("full"))
        self.successResultOf(caught_up)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
