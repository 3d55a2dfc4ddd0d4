"""The time that an exchange has."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Limit:
    """The time that an exchange has.

    @ivar passed: whether it is over.
    @param seconds: gives how long it is, each time when it begins.
    @param idle: whether that is the time without a byte moving, and not the whole one.
    """

    passed = False

    def __init__(self, clock: IReactorTime, seconds: Callable[[], float], idle: bool) -> None:
        self._clock = clock
        self._seconds = seconds
        self._given = 0.0
        self._idle = idle
        self._timer: IDelayedCall | None = None

    @property
    def words(self) -> str:
        """What happened when it has passed."""
        return f"nothing moved for {self._given:.3g} s" if self._idle else f"no answer within {self._given:.3g} s"

    def start(self, end: Callable[[], None]) -> None:
        """Call C{end} once it has passed."""
        self._end = end
        self._timer = self._clock.callLater(self._begin(), self._expire)

    def moved(self) -> None:
        """A byte went out or came in."""
        if self._idle and self._timer is not None and self._timer.active():
            self._timer.reset(self._begin())

    def stop(self) -> None:
        """The exchange is over, or for now waits for nobody but its caller."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def go_on(self) -> None:
        """It is the server's turn again."""
        self.stop()
        self.start(self._end)

    def _begin(self) -> float:
        self._given = self._seconds()
        return self._given

    def _expire(self) -> None:
        self.passed = True
        self._end()
