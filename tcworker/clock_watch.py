"""Notices that this machine's clock was set, or that the machine slept: until then nobody can rely on timers.

The reactor's timers run by the wall clock: set back, it keeps them from firing; set forward, it fires them at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tcworker.interfaces import Unsubscribe

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
    @param reactor: in whose thread those who asked are told, and whose clock it is.
    """

    look_every = LOOK_EVERY

    def __init__(self, reactor: Any, jumps: Jumps | None = None) -> None:
        self._reactor = reactor
        self._jumps = jumps or Jumps(reactor.seconds, time.monotonic)
        self._told: list[Callable[[float], None]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def on_jump(self, call: Callable[[float], None]) -> Unsubscribe:
        """Be told of each jump, in seconds; before all who asked before, so that timers can be mended first."""
        self._told.insert(0, call)
        return lambda: self._told.remove(call) if call in self._told else None

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
        for call in tuple(self._told):
            try:
                call(jump)
            except Exception:
                _log.failure("somebody who was told that the clock jumped failed")


def bring_forward(reactor: IReactorTime, jump: float) -> None:
    """Let no timer of a reactor wait for longer than it was meant to because the clock was set back.

    @param jump: in seconds; forward, nothing can be done: what was due has been done.
    """
    if jump < 0:
        for call in reactor.getDelayedCalls():
            _hasten(call, jump)


def _hasten(call: IDelayedCall, jump: float) -> None:
    if call.active():
        call.delay(jump)
