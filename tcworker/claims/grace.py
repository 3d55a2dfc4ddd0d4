"""The time that a worker has left once it is told to go."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

GRACE = 25.0
"""Seconds for stopping when there is no configuration yet to say."""

CLOSING_SHARE = 0.05
"""The part of that time in which nothing runs any more, and what the worker has open is closed."""

CLOSING = 10.0
"""Seconds that closing takes at the most."""


class Grace:
    """Counts down to the end of a worker; a later order shortens it and never prolongs it.

    @ivar usual: the seconds for stopping when nobody says how many (C{shutdownGraceSecs}).
    @param passed: called when it is time to stop what a draining worker still runs, and when it is time to give up what
        is being stopped: while there still is time to close.
    """

    def __init__(self, clock: IReactorTime, passed: Callable[[], None]) -> None:
        self.usual = GRACE
        self._clock = clock
        self._passed = passed
        self._end: float | None = None
        self._timer: IDelayedCall | None = None
        self._told: list[Callable[[float], None]] = []

    def limit_drain(self, seconds: float | None) -> None:
        """It is over so early that stopping still fits into so many seconds; C{None}: never."""
        if seconds is not None:
            self._shorten(seconds)
            self._wait(self.left - self.usual)

    def limit(self, seconds: float | None) -> None:
        """The worker must be gone in so many seconds, C{None} for the usual ones, or earlier if it already must."""
        self._shorten(self.usual if seconds is None else seconds)
        self._wait(self.left - min(CLOSING, self.left * CLOSING_SHARE))

    @property
    def left(self) -> float:
        """Seconds until the worker must be gone; the usual ones while nobody has said."""
        return self.usual if self._end is None else max(0.0, self._end - self._clock.seconds())

    @property
    def limited(self) -> bool:
        """Whether somebody has said."""
        return self._end is not None

    def watch(self, call: Callable[[float], None]) -> None:
        """Be told how many seconds are left whenever they become less than was said before."""
        self._told.append(call)

    def end(self) -> None:
        """Count no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _shorten(self, seconds: float) -> None:
        end = self._clock.seconds() + seconds
        if self._end is None or end < self._end:
            self._end = end
            for call in self._told:
                call(seconds)

    def _wait(self, seconds: float) -> None:
        self.end()
        self._timer = self._clock.callLater(max(0.0, seconds), self._passed)
