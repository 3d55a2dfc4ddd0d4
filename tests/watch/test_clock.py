"""Noticing that the clock was set, or that the machine slept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.clocks import run_steadily
from tcworker.watch.clock import LEAST, ClockWatch, Jumps
from tests.surroundings import until

reactor: Any = real_reactor


class Clocks:
    """A wall clock and one that nobody sets."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_900_000_000.0, 50.0

    def jumps(self) -> Jumps:
        return Jumps(lambda: self.wall, lambda: self.steady)

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class TheClocks(SynchronousTestCase):
    """What counts as a jump."""

    def setUp(self) -> None:
        self.clocks = Clocks()
        self.jumps = self.clocks.jumps()

    def test_time_that_passes_is_none(self) -> None:
        for seconds in (0, 5, 3600):
            self.clocks.go(seconds)
            self.assertEqual(self.jumps.look(), 0)

    def test_a_clock_that_is_set_forward_or_back(self) -> None:
        for jump in (3600.0, -3600.0, 3.0, -3.0):
            self.clocks.go(5)
            self.clocks.wall += jump
            self.assertEqual(self.jumps.look(), jump)
            self.assertEqual(self.jumps.look(), 0)

    def test_a_machine_that_sleeps(self) -> None:
        self.clocks.wall += 8 * 3600
        self.assertEqual(self.jumps.look(), 8 * 3600)

    def test_a_clock_that_is_corrected_bit_by_bit_never_jumps(self) -> None:
        for _ in range(1000):
            self.clocks.go(5)
            self.clocks.wall += LEAST / 100
            self.assertEqual(self.jumps.look(), 0)


class OfASteadyReactor(SynchronousTestCase):
    """The wall clock is looked at, not that of the reactor, which nobody sets."""

    def test_a_clock_that_is_set(self) -> None:
        clocks = Clocks()
        fake: Any = Fake(lambda: clocks.wall)
        run_steadily(fake, lambda: clocks.steady)
        self.patch(time, "monotonic", lambda: clocks.steady)
        told: list[None] = []
        watch = ClockWatch(fake, lambda: told.append(None))
        watch.look_every = 0.01
        for jump in (3600, -3600):
            fake.called.clear()
            watch.startService()
            clocks.wall += jump
            self.assertTrue(fake.called.wait(30))
            watch.stopService()
        self.assertEqual(len(told), 2)


class Fake:
    """As much of a reactor as a watch needs."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self.called = threading.Event()

    def callFromThread(self, call: Any, *args: Any) -> None:
        call(*args)
        self.called.set()


class Watching(TestCase):
    """The thread that looks."""

    timeout = 30

    def setUp(self) -> None:
        self.clocks = Clocks()
        self.heard: list[Any] = []
        self.watch = self.new_watch()
        self.watch.startService()
        self.addCleanup(self.watch.stopService)

    def new_watch(self) -> ClockWatch:
        watch = ClockWatch(reactor, lambda: self.heard.append(threading.current_thread()), self.clocks.jumps())
        watch.look_every = 0.01
        return watch

    async def jump(self) -> None:
        count = len(self.heard)
        self.clocks.wall += 60
        await until(lambda: len(self.heard) > count)

    async def test_tells_in_the_reactors_thread(self) -> None:
        await self.jump()
        self.assertEqual(self.heard, [threading.current_thread()])

    async def test_tells_of_each_jump(self) -> None:
        for _ in range(3):
            await self.jump()
        self.assertEqual(len(self.heard), 3)

    def test_a_watch_that_stopped_has_no_thread(self) -> None:
        count = threading.active_count()
        self.watch.stopService()
        self.assertEqual(threading.active_count(), count - 1)

    async def test_one_that_stopped_can_start_again(self) -> None:
        self.watch.stopService()
        self.watch.startService()
        await self.jump()

    def test_one_that_never_started_stops(self) -> None:
        self.new_watch().stopService()
