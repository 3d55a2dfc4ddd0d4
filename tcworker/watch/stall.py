"""Says where the reactor is when it does not come back: whatever blocks it keeps all runs of a worker from going on."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

ASK_EVERY = 5.0
"""Seconds between an answer of the reactor's and the next question."""

STALLED_AFTER = 10
"""Seconds in which it must answer."""

_log = Logger()


class StallWatch(Service):
    """Asks the reactor from a thread, again and again, and logs its stack when it takes too long to answer.

    Nothing is changed by that: a timer in the reactor would itself be late.

    @ivar ask_every: seconds, as L{ASK_EVERY}.
    @ivar tick: seconds; so many ticks as L{STALLED_AFTER} says are too long.
    """

    ask_every = ASK_EVERY
    tick = 1.0

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._changed = threading.Condition()
        self._answered = True
        self._stopping = False
        self._thread: threading.Thread | None = None

    def startService(self) -> None:
        """Begin once the reactor runs."""
        super().startService()
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> None:
        """End the thread."""
        super().stopService()
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        if self.running and self._thread is None:
            watched = threading.get_ident()
            self._thread = threading.Thread(target=self._watch, args=[watched], name="stall-watch", daemon=True)
            self._thread.start()

    def _watch(self, watched: int) -> None:
        while not self._wait_until_stopping(self.ask_every):
            self._answered = False
            self._reactor.callFromThread(self._answer)
            if not self._wait_for_answer(STALLED_AFTER):
                self._tell(watched)
                ticks = STALLED_AFTER
                while not self._wait_for_answer(1):
                    ticks += 1
                _log.warn("the reactor goes on, after {seconds:.0f} s or more", seconds=ticks * self.tick)

    def _answer(self) -> None:
        with self._changed:
            self._answered = True
            self._changed.notify()

    def _wait_until_stopping(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping, seconds)

    def _wait_for_answer(self, ticks: int) -> bool:
        """Whether it came, or need not come any more."""
        # Counted, not measured: a process that was stopped as a whole has not been blocked.
        return any(self._wait_a_tick() for _ in range(ticks))

    def _wait_a_tick(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._answered or self._stopping, self.tick)

    def _tell(self, watched: int) -> None:
        _log.error(
            "the reactor has been blocked for {seconds:.0f} s, and with it all that this process does, here:\n{stack}",
            seconds=STALLED_AFTER * self.tick,
            stack="".join(traceback.format_stack(sys._current_frames()[watched])).rstrip(),
        )
