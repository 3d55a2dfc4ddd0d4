"""What time it is by the clock of this machine, which somebody may set, and by one that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_seconds() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(_STEADY)


class SteadyClock:
    """The C{seconds} of a reactor: those since 1970, as the machine's clock had them once, counted steadily since.

    @ivar wall: gives the seconds since 1970 by which dates are written, as the machine's clock has them now.
    @param steady: seconds of a clock that nobody sets.
    """

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float] = steady_seconds) -> None:
        self.wall = wall
        self._steady = steady
        self._ahead = wall() - steady()

    def __call__(self) -> float:
        return self._ahead + self._steady()


def run_steadily(reactor: Any, steady: Callable[[], float] = steady_seconds, *, dates: bool = False) -> None:
    """Let a reactor, for good, run by a clock that nobody sets; repeatable.

    For a process whose own the reactor is, before anything is timed in it. Others go by the machine's clock: set back,
    that holds up everything for as long; set forward, it ends tasks whose time is far from over.

    The reactor's method C{seconds} is replaced, for Twisted has no other way to give it a clock. It is the only place
    where a reactor looks at one: C{callLater}, the timers that it gives, and the loop itself all call it.

    @param dates: whether dates go by it as well, so that they never contradict older ones: for a process that soon ends
        and has nobody else's dates to compare.
    """
    if not isinstance(reactor.seconds, SteadyClock):
        reactor.seconds = SteadyClock(reactor.seconds, steady)
        if dates:
            reactor.seconds.wall = reactor.seconds


def wall_seconds(clock: IReactorTime) -> float:
    """Seconds since 1970 for what others read, by the machine's clock where a reactor runs steadily.

    Never to be compared with the clock's own C{seconds}.
    """
    seconds: Callable[[], float] = clock.seconds
    return seconds.wall() if isinstance(seconds, SteadyClock) else seconds()
