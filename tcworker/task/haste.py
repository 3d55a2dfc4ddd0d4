"""How much time the files of one run have, once its worker must go: log and report must have theirs."""

from __future__ import annotations

from collections.abc import Callable

from tcworker.errors import TooLate
from tcworker.interfaces import Unsubscribe
from tcworker.task.speed import Speed

FILES = 0.5
"""The part of the time in which files may be published that log and report wait for."""

ERRORS = 0.65
"""The part of the time after which nobody waits any more, not even for words about files that came too late."""

SILENCE = 0.25
"""The part of the time that is left which an answer may take: one that is lost must not cost all of it."""

LEAST_SILENCE = 2.0

WORDS = 0.9
"""The part that files have which nothing waits for; the rest is for those words."""


def silence_of(left: float, usual: float) -> float:
    """Seconds without an answer after which something is tried again when so many are left."""
    return min(usual, max(LEAST_SILENCE, SILENCE * left))


class Haste:
    """Knows the time that a run's uploads have; there is no haste before L{begin}.

    @ivar begun: whether the worker must go.
    @ivar speed: of the worker's uploads.
    @param seconds: of a steady clock.
    @param all_left: seconds for all that is to be published, the log included.
    """

    def __init__(self, seconds: Callable[[], float], speed: Speed, all_left: Callable[[], float]) -> None:
        self._seconds = seconds
        self.speed = speed
        self.all_left = all_left
        self.begun = False
        self._waited_for = True
        self._from = self._seconds_given = 0.0
        self._told: list[Callable[[], None]] = []

    def begin(self, seconds: float) -> None:
        """All must be done in so many seconds; repeatable, each time for less."""
        self._from, self._seconds_given = self._seconds(), seconds
        if not self.begun:
            self.begun = True
            for call in list(self._told):
                call()

    def report_first(self) -> None:
        """Log and report do not wait for the files."""
        self._waited_for = False

    def on_begin(self, call: Callable[[], None]) -> Unsubscribe:
        """Be told when it begins."""
        self._told.append(call)
        return lambda: self._told.remove(call) if call in self._told else None

    def files_left(self) -> float:
        """Seconds in which files may be published."""
        return self._left(FILES if self._waited_for else WORDS)

    def errors_left(self) -> float:
        """Seconds until nothing about files may be published any more."""
        return self._left(ERRORS if self._waited_for else 1.0)

    def silence(self, usual: float) -> float:
        """Seconds without an answer, or a byte, after which something is tried again: C{usual} without haste."""
        return silence_of(self.all_left(), usual) if self.begun else usual

    def check(self, size: int) -> None:
        """Raise L{TooLate} if so many bytes, after those that are on their way, come too late."""
        if self.begun and (why := self._judge(self.speed.seconds_for(size))):
            raise why

    def judge_rest(self, size: int) -> TooLate | None:
        """What there is to say of an upload that has so many bytes left; C{None} if it may come to its end."""
        return self._judge(size / self.speed.bytes_per_second) if self.begun else None

    def _judge(self, needed: float) -> TooLate | None:
        left = self.files_left()
        if needed <= left:
            return None
        rate = self.speed.bytes_per_second / 1e6
        time = f"there are {left:.0f} s for it, and it would take {needed:.0f} s at {rate:.3g} MB/s"
        return TooLate(
            f"the worker must go: {time if left else 'no time is left'}",
            evidence={"secondsLeft": round(left, 3), "secondsNeeded": round(needed, 3)},
        )

    def _left(self, part: float) -> float:
        left = self.all_left()
        if not self.begun:
            return left
        return max(0.0, min(left, self._from + part * self._seconds_given - self._seconds()))
