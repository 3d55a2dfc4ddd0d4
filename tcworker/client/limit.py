"""The time that an exchange has."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Limit:
    """The time that an exchange has.

    @ivar passed: whether it is over.
    @param idle: whether that is the time without a byte moving, and not the whole one.
    """

    passed = False

    def __init__(self, clock: IReactorTime, seconds: float, idle: bool) -> None:
        self._clock = clock
        self._seconds = seconds
        self._idle = idle
        self._timer: IDelayedCall | None = None

    @property
    def words(self) -> str:
        """What happened when it has passed."""
        return f"nothing moved for {self._seconds:g} s" if self._idle else f"no answer within {self._seconds:g} s"

    def start(self, end: Callable[[], None]) -> None:
        """Call C{end} once it has passed."""
        self._end = end
        self._timer = self._clock.callLater(self._seconds, self._expire)

    def moved(self) -> None:
        """A byte went out or came in."""
        if self._idle and self._timer is not None and self._timer.active():
            self._timer.reset(self._seconds)

    def stop(self) -> None:
        """The exchange is over, or for now waits for nobody but its caller."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def go_on(self) -> None:
        """It is the server's turn again."""
        self.stop()
        self.start(self._end)

    def _expire(self) -> None:
        self.passed = True
        self._end()
