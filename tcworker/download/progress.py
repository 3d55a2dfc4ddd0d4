"""Says in a task's log how a download goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

EVERY = 5.0
"""Seconds between two lines."""


class Measured(Protocol):
    """What has come so far: C{taken} bytes of C{total}, if that is known."""

    @property
    def taken(self) -> int: ...

    @property
    def total(self) -> int | None: ...


class Progress:
    """Tells of one download, from its start to its end.

    @param words: what it is.
    @param say: takes the lines.
    """

    def __init__(self, clock: IReactorTime, words: str, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._words = words
        self.say = say
        self._began = clock.seconds()
        self._seen = 0
        self._timer: IDelayedCall | None = None

    @property
    def seconds(self) -> float:
        """Since it was begun."""
        return self._clock.seconds() - self._began

    def start(self, measured: Measured) -> None:
        """Begin to tell."""
        self.say(f"downloading {self._words}")
        self._next(measured)

    def stop(self) -> None:
        """Tell no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def done(self, size: int, sha256: str) -> None:
        """Tell of the end."""
        speed = size / max(self.seconds, 0.001)
        self.say(
            f"downloaded {self._words}: {in_bytes(size)} in {self.seconds:.1f} s ({in_bytes(speed)}/s), sha256 {sha256}"
        )

    def _next(self, measured: Measured) -> None:
        self._timer = self._clock.callLater(EVERY, self._tell, measured)

    def _tell(self, measured: Measured) -> None:
        # Begun anew, less may be here than before.
        speed = max(0, measured.taken - self._seen) / EVERY
        self._seen = measured.taken
        self.say(f"{self._words}: {_state(measured.taken, measured.total, speed)}")
        self._next(measured)


def _state(taken: int, total: int | None, speed: float) -> str:
    here = in_bytes(taken)
    if total:
        here += f" of {in_bytes(total)} ({taken * 100 // total} %)"
    here += f", {in_bytes(speed)}/s"
    return f"{here}, {in_time((total - taken) / speed)} left" if total and speed else here


def in_bytes(count: float) -> str:
    """A number of bytes as people like it: 999 B, 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5 or (unit == "B" and count < 1000):
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def in_time(seconds: float) -> str:
    """Seconds as people like them: 12 s, 3 min, 2 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
