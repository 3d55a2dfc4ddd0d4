"""Notices that this machine's clock was set, or that the machine slept: whoever relies on time must look again then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from tcworker.clocks import wall_seconds

LOOK_EVERY = 5.0
"""Seconds between two looks at the clocks."""

LEAST = 2.0
"""Seconds of a jump that matters; a clock that is corrected bit by bit does not jump."""

_log = Logger()


class Jumps:
    """Compares the wall clock with one that nobody sets, and that stands still while the machine sleeps.

    @param wall: seconds since 1970.
    @param steady: seconds since any time.
    """

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._apart = wall() - steady()

    def look(self) -> float:
        """Seconds by which the wall clock has jumped since the last look, negative if back; 0 if it went as usual."""
        apart = self._wall() - self._steady()
        jump, self._apart = apart - self._apart, apart
        return jump if abs(jump) >= LEAST else 0.0


class ClockWatch(Service):
    """Looks at the clocks again and again, from a thread: a timer would come late itself.

    @ivar look_every: seconds, as L{LOOK_EVERY}.
    @param reactor: in whose thread C{jumped} is called; the clock is that by which it writes dates.
    @param jumped: called after each jump.
    """

    look_every = LOOK_EVERY

    def __init__(self, reactor: Any, jumped: Callable[[], None], jumps: Jumps | None = None) -> None:
        self._reactor = reactor
        self._jumped = jumped
        self._jumps = jumps or Jumps(partial(wall_seconds, reactor), time.monotonic)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._watch, name="clock-watch", daemon=True)
        self._thread.start()

    def stopService(self) -> None:
        """End the thread."""
        super().stopService()
        self._stopping.set()
        # It never does anything that takes long.
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(self.look_every):
            if jump := self._jumps.look():
                self._reactor.callFromThread(self._tell, jump)

    def _tell(self, jump: float) -> None:
        how = f"{abs(jump):.0f} s {'forward' if jump > 0 else 'back'}"
        _log.warn("the clock went {how} at once: it was set, or the machine slept", how=how)
        self._jumped()
