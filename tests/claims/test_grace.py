"""The time that a worker has left, on a clock of the test's own."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.grace import GRACE, Grace


class TheTimeLeft(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.passed: list[float] = []
        self.grace = Grace(self.clock, lambda: self.passed.append(self.clock.seconds()))

    def wait(self, seconds: int) -> list[float]:
        self.clock.pump([1.0] * seconds)
        return self.passed

    def test_nobody_has_said_anything(self) -> None:
        self.assertEqual((self.grace.left, self.wait(100)), (GRACE, []))

    def test_an_order_without_a_time_gives_the_usual_one(self) -> None:
        self.grace.usual = 8
        self.grace.limit(None)
        self.assertEqual((self.grace.left, self.wait(20)), (8, [8]))

    def test_a_second_order_shortens(self) -> None:
        self.grace.limit(25)
        self.wait(5)
        self.grace.limit(10)
        self.assertEqual((self.grace.left, self.wait(20)), (10, [15]))

    def test_and_never_prolongs(self) -> None:
        self.grace.limit(20)
        self.wait(5)
        self.grace.limit(60)
        self.assertEqual(self.grace.left, 15)
        self.assertEqual(self.wait(30), [20])

    def test_there_is_time_to_close_when_it_is_over(self) -> None:
        for seconds, closing in ((30, 1.5), (120, 6), (3600, 10)):
            self.setUp()
            self.grace.limit(seconds)
            (timer,) = self.clock.getDelayedCalls()
            self.assertEqual(timer.getTime(), seconds - closing)

    def test_who_watches_is_told_when_it_becomes_less(self) -> None:
        told: list[float] = []
        self.grace.watch(told.append)
        self.grace.limit_drain(None)
        self.grace.limit_drain(120)
        self.wait(60)
        self.grace.limit(60)
        self.grace.limit(90)
        self.grace.limit(5)
        self.assertEqual(told, [120, 5])

    def test_a_drain_is_over_while_there_is_time_to_stop(self) -> None:
        self.grace.limit_drain(60)
        self.assertEqual(self.wait(60), [35])
        self.grace.limit(None)
        self.assertEqual(self.wait(1), [35, 61])

    def test_a_drain_without_a_time_never_is(self) -> None:
        self.grace.limit_drain(None)
        self.assertEqual(self.wait(1000), [])

    def test_it_does_not_become_negative(self) -> None:
        self.grace.limit(1)
        self.wait(10)
        self.assertEqual(self.grace.left, 0)

    def test_one_that_has_ended_has_no_timer(self) -> None:
        self.grace.limit(1)
        self.grace.end()
        self.grace.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])
