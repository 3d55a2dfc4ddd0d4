"""Noticing that the clock was set, or that the machine slept."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.clock_watch import LEAST, ClockWatch, Jumps, bring_forward
from tcworker.waiting import pause
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
        watch = ClockWatch(reactor, self.clocks.jumps())
        watch.look_every = 0.01
        return watch

    async def jump(self) -> None:
        count = len(self.heard)
        self.clocks.wall += 60
        await until(lambda: len(self.heard) > count)

    async def test_tells_in_the_reactors_thread(self) -> None:
        self.watch.on_jump(lambda jump: self.heard.append((jump, threading.current_thread())))
        await self.jump()
        self.assertEqual(self.heard, [(60, threading.current_thread())])

    async def test_tells_all_even_if_one_fails(self) -> None:
        self.watch.on_jump(lambda jump: 1 / 0)
        self.watch.on_jump(self.heard.append)
        await self.jump()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_tells_nobody_who_does_not_want_to_know_any_more(self) -> None:
        never: list[float] = []
        forget = self.watch.on_jump(never.append)
        self.watch.on_jump(self.heard.append)
        forget()
        forget()
        await self.jump()
        self.assertEqual(never, [])

    async def test_who_asked_last_is_told_first(self) -> None:
        self.watch.on_jump(lambda jump: self.heard.append("first"))
        self.watch.on_jump(lambda jump: self.heard.append("last"))
        await self.jump()
        self.assertEqual(self.heard, ["last", "first"])

    def test_a_watch_that_stopped_has_no_thread(self) -> None:
        count = threading.active_count()
        self.watch.stopService()
        self.assertEqual(threading.active_count(), count - 1)

    async def test_one_that_stopped_can_start_again(self) -> None:
        self.watch.stopService()
        self.watch.startService()
        self.watch.on_jump(self.heard.append)
        await self.jump()

    def test_one_that_never_started_stops(self) -> None:
        self.new_watch().stopService()


class LateTimers(TestCase):
    """Timers of a reactor whose clock was set back."""

    timeout = 30

    def setUp(self) -> None:
        self.clock = Clock()
        self.fired: list[float] = []
        for seconds in (10, 20):
            self.clock.callLater(seconds, self.fired.append, seconds)

    def set_clock(self, jump: float) -> None:
        self.clock.rightNow += jump
        bring_forward(self.clock, jump)

    def test_fire_when_they_were_meant_to(self) -> None:
        self.clock.advance(4)
        self.set_clock(-3600)
        self.clock.advance(6)
        self.assertEqual(self.fired, [10])
        self.clock.advance(10)
        self.assertEqual(self.fired, [10, 20])

    def test_a_jump_forward_leaves_them_alone(self) -> None:
        self.set_clock(5)
        self.clock.advance(5)
        self.assertEqual(self.fired, [10])

    async def test_also_those_of_a_real_one(self) -> None:
        waiting = pause(reactor, 3600)
        # As if it had been begun an hour ago, by a clock that was set back since.
        before = reactor.getDelayedCalls()
        bring_forward(_Part(before), -3600)
        await waiting


class _Part:
    """Some timers of a reactor: those of the test's own runner are none of a test's business."""

    def __init__(self, calls: Any) -> None:
        self._calls = [call for call in calls if call.getTime() - reactor.seconds() > 3000]

    def getDelayedCalls(self) -> Any:
        return self._calls
