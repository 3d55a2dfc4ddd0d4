"""The time by which a reactor runs, and that by which dates are written, on a machine whose clock is set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.clocks import SteadyClock, run_steadily, steady_seconds, wall_seconds
from tcworker.embedded import dates
from tcworker.waiting import now

BEGAN = 1_900_000_000.0


class Machine:
    """Its clocks, and a reactor that runs steadily."""

    def __init__(self) -> None:
        self.wall, self.steady = BEGAN, 50.0
        self.reactor: Any = QuietReactor(lambda: self.wall)
        run_steadily(self.reactor, lambda: self.steady)

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
        self.reactor.runUntilCurrent()


class QuietReactor(SelectReactor):
    """One that does nothing by itself."""

    def __init__(self, wall: Any) -> None:
        super().__init__()
        self.seconds = wall


class MachineTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.machine = Machine()
        self.reactor = self.machine.reactor
        self.addCleanup(self.reactor.removeAll)


class Timers(MachineTestCase):
    """Two of them, in 10 s and in 1,000 s."""

    def setUp(self) -> None:
        super().setUp()
        self.fired: list[int] = []
        for seconds in (10, 1000):
            self.reactor.callLater(seconds, self.fired.append, seconds)

    def fires(self, after: float, *expected: int) -> None:
        self.machine.go(after)
        self.assertEqual(self.fired, list(expected))

    def test_none_comes_early_when_the_clock_is_set_forward(self) -> None:
        self.machine.wall += 3600
        self.fires(9)
        self.fires(1.1, 10)
        self.fires(980, 10)
        self.fires(10, 10, 1000)

    def test_none_comes_late_when_it_is_set_back(self) -> None:
        self.machine.wall -= 3600
        self.fires(9)
        self.fires(1.1, 10)
        self.fires(990, 10, 1000)

    def test_to_and_fro(self) -> None:
        for jump in (3600, -7200, 60, 0.7, -86400):
            self.machine.wall += jump
            self.machine.go(1)
        self.assertEqual(self.fired, [])
        self.fires(5.1, 10)

    def test_one_that_is_made_after_it_comes_as_it_was_meant(self) -> None:
        for jump in (3600, -3600):
            self.machine.wall += jump
            self.reactor.callLater(5, self.fired.append, 5)
            self.machine.go(4.9)
            self.assertNotIn(5, self.fired)
            self.machine.go(0.2)
            self.assertIn(5, self.fired)
            self.fired.remove(5)

    def test_one_that_is_reset_after_it_comes_as_it_was_meant(self) -> None:
        timer = self.reactor.callLater(5, self.fired.append, 5)
        for jump in (3600, -7200):
            self.machine.wall += jump
            timer.reset(5)
            self.fires(4.9)
        self.fires(0.2, 5, 10)

    def test_the_reactor_sleeps_no_longer_than_until_the_next(self) -> None:
        self.machine.go(1)
        for jump in (3600, -7200):
            self.machine.wall += jump
            self.assertAlmostEqual(self.reactor.timeout(), 9)

    def test_a_machine_that_slept_does_what_was_due(self) -> None:
        self.fires(3600, 10, 1000)


class WhatTimeItIs(MachineTestCase):
    """For those who count, and for those who write dates."""

    def test_to_count_by_it_passes_as_it_does(self) -> None:
        self.assertEqual(self.reactor.seconds(), BEGAN)
        for jump in (3600, -7200):
            self.machine.wall += jump
            self.assertEqual(self.reactor.seconds(), BEGAN)
        self.machine.go(30)
        self.assertEqual(self.reactor.seconds(), BEGAN + 30)

    def test_to_write_it_is_the_machine_s(self) -> None:
        for jump in (3600, -7200):
            self.machine.wall += jump
            self.assertEqual(wall_seconds(self.reactor), self.machine.wall)
            self.assertEqual(now(self.reactor), datetime.fromtimestamp(self.machine.wall, UTC))
            self.assertEqual(dates.now(self.reactor), self.machine.wall * 1000)

    def test_to_write_it_is_that_of_a_clock_that_is_no_steady_one(self) -> None:
        clock = Clock()
        clock.advance(5)
        self.assertEqual(wall_seconds(clock), 5)

    def test_to_write_it_stays_that_of_the_reactor_for_who_keeps_to_himself(self) -> None:
        reactor: Any = QuietReactor(lambda: self.machine.wall)
        self.addCleanup(reactor.removeAll)
        run_steadily(reactor, lambda: self.machine.steady, dates=True)
        self.machine.wall += 3600
        self.machine.go(30)
        self.assertEqual((reactor.seconds(), wall_seconds(reactor)), (BEGAN + 30, BEGAN + 30))

    def test_a_reactor_that_runs_steadily_is_left_alone(self) -> None:
        before = self.reactor.seconds
        run_steadily(self.reactor)
        self.assertIs(self.reactor.seconds, before)


class TheRealOne(SynchronousTestCase):
    """The reactor that all run on."""

    def test_it_can_be_given_a_steady_clock(self) -> None:
        reactor: Any = real_reactor
        self.patch(reactor, "seconds", reactor.seconds)
        timer = reactor.callLater(3600, int)
        self.addCleanup(timer.cancel)
        run_steadily(reactor)
        self.assertIsInstance(reactor.seconds, SteadyClock)
        self.assertLess(abs(reactor.seconds() - wall_seconds(reactor)), 60)
        later = reactor.callLater(3600, int)
        self.addCleanup(later.cancel)
        self.assertLess(abs(later.getTime() - timer.getTime()), 60)

    def test_the_steady_clock_of_this_machine_goes_on(self) -> None:
        before = steady_seconds()
        self.assertGreaterEqual(steady_seconds(), before)
