"""Timers of a reactor on a machine whose clock is set."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from tcworker.watch.timers import Timers, keep_timers


class Machine:
    """Its clocks, and a reactor that runs by them."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_900_000_000.0, 50.0
        self.reactor: Any = QuietReactor(lambda: self.wall)
        self.leave = keep_timers(self.reactor, lambda: self.steady)

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
        self.reactor.runUntilCurrent()


class QuietReactor(SelectReactor):
    """One that does nothing by itself."""

    def __init__(self, wall: Any) -> None:
        super().__init__()
        self.seconds = wall


class WhenTheClockIsSet(SynchronousTestCase):
    """Two timers, in 10 s and in 1,000 s."""

    def setUp(self) -> None:
        self.machine = Machine()
        self.reactor = self.machine.reactor
        self.addCleanup(self.reactor.removeAll)
        self.fired: list[int] = []
        for seconds in (10, 1000):
            self.reactor.callLater(seconds, self.fired.append, seconds)

    def fires(self, after: float, *expected: int) -> None:
        self.machine.go(after)
        self.assertEqual(self.fired, list(expected))

    def test_forward_none_comes_early(self) -> None:
        self.machine.wall += 3600
        self.fires(9)
        self.fires(1.1, 10)
        self.fires(980, 10)
        self.fires(10, 10, 1000)

    def test_back_none_comes_late(self) -> None:
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

    def test_one_that_was_cancelled_stays_so(self) -> None:
        timer = self.reactor.callLater(5, self.fired.append, 5)
        timer.cancel()
        self.machine.wall -= 3600
        self.fires(6)

    def test_the_time_of_day_is_the_machine_s(self) -> None:
        for jump in (3600, -3600):
            self.machine.wall += jump
            self.assertEqual(self.reactor.seconds(), self.machine.wall)

    def test_a_machine_that_slept_does_what_was_due(self) -> None:
        self.fires(3600, 10, 1000)

    def test_who_leaves_the_timers_alone_leaves_nothing(self) -> None:
        self.machine.leave()
        self.machine.wall += 3600
        self.fires(0, 10, 1000)


class WhoLooks(SynchronousTestCase):
    """Looks at the clock that must not move anything."""

    def setUp(self) -> None:
        self.moved: list[float] = []
        self.wall, self.steady = 1_900_000_000.0, 50.0

    def getDelayedCalls(self) -> Any:
        return [self]

    def delay(self, seconds: float) -> None:
        self.moved.append(seconds)

    def test_another_thread(self) -> None:
        timers = Timers(self, lambda: self.wall, lambda: self.steady)
        self.wall += 3600
        thread = threading.Thread(target=timers.seconds)
        thread.start()
        thread.join()
        self.assertEqual(self.moved, [])
        timers.seconds()
        self.assertEqual(self.moved, [3600])

    def test_a_process_that_was_stopped_between_two_looks(self) -> None:
        stopped = [0.0, 0.0, 7200.0]

        def steady() -> float:
            # Not yet when the wall clock was read, and long ago the next time.
            passed = stopped.pop() if stopped else 0.0
            self.wall += passed
            self.steady += passed
            return self.steady

        timers = Timers(self, lambda: self.wall, steady)
        stopped.append(7200.0)
        timers.seconds()
        self.assertEqual(self.moved, [])


class TheRealOne(SynchronousTestCase):
    """The reactor that all run on."""

    def test_it_can_be_given_another_look_at_the_clock(self) -> None:
        reactor: Any = real_reactor
        before = reactor.seconds
        leave = keep_timers(reactor, lambda: 0.0)
        self.assertIsNot(reactor.seconds, before)
        leave()
        self.assertIs(reactor.seconds, before)
