"""Keeps the timers of a reactor right when the clock of its machine is set.

They are kept by the wall clock: set back by an hour, it would hold up everything for that hour; set forward, it would
end tasks whose time is far from over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tcworker.interfaces import Unsubscribe

LEAST = 0.5
"""Seconds by which a clock must have been set for timers to be moved."""


class Timers:
    """Moves timers with the clock, the first time that anybody looks at it after it was set.

    That the machine slept moves none: what was due meanwhile is due.

    @param reactor: whose timers they are; to be made in its thread.
    @param wall: seconds since 1970.
    @param steady: seconds of a clock that nobody sets, and that goes on while the machine sleeps.
    """

    def __init__(self, reactor: Any, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._reactor = reactor
        self._wall = wall
        self._steady = steady
        self._apart = wall() - steady()
        self._thread = threading.get_ident()

    def seconds(self) -> float:
        """Look at the wall clock."""
        # Twice, should it seem to be set: a process may be stopped between two looks at clocks, for hours.
        if abs(self._jump()) >= LEAST and abs(jump := self._jump()) >= LEAST and threading.get_ident() == self._thread:
            self._apart += jump
            for timer in self._reactor.getDelayedCalls():
                timer.delay(jump)
        return self._wall()

    def _jump(self) -> float:
        return self._wall() - self._steady() - self._apart


def keep_timers(reactor: Any, steady: Callable[[], float]) -> Unsubscribe:
    """Let a reactor look at its clock so from now on; gives what lets it do as before.

    Only for somebody whose own the reactor is.
    """
    before = reactor.seconds
    reactor.seconds = Timers(reactor, before, steady).seconds

    def leave() -> None:
        reactor.seconds = before

    return leave
