"""What time it is at a server, by the dates of its answers: the clock of this machine may be wrong, or be set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from twisted.logger import Logger

DRIFT = 0.0005
"""Seconds by which two clocks may come apart in a second; no clock that is being corrected is turned faster."""

WORTH_SAYING = 60.0
"""Seconds by which this machine's clock may be wrong without anybody being told."""

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
"""Seconds since 1970 between which all dates are: what says another is out of order, and is not believed."""

_log = Logger()


@dataclass(frozen=True)
class _Span:
    """How far a server's clock is ahead of a steady one: between two numbers of seconds, by what was known then.

    @ivar at: when that was, by the steady clock.
    """

    low: float
    high: float
    at: float

    def grown(self, now: float) -> _Span:
        """The same by now."""
        drift = DRIFT * (now - self.at)
        return _Span(self.low - drift, self.high + drift, now)

    def narrowed(self, newer: _Span) -> _Span:
        """What both say; where they contradict each other, one of the clocks was set, and the newer one counts."""
        low, high = max(self.low, newer.low), min(self.high, newer.high)
        return _Span(low, high, newer.at) if low <= high else newer


class ServerTime:
    """A server's clock, known to a second or so once the server has answered.

    Until then this machine's own is believed.

    @param wall: seconds since 1970 by this machine's clock.
    @param steady: seconds of a clock that nobody sets; C{None} for the same one.
    """

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float] | None = None) -> None:
        self._wall = wall
        self._steady = steady or wall
        self._ahead: _Span | None = None
        self._said = 0.0

    @property
    def known(self) -> bool:
        """Whether the server has said what time it is."""
        return self._ahead is not None

    def steady(self) -> float:
        """Seconds of the steady clock, which mean something only compared with each other."""
        return self._steady()

    def heard(self, date: str, asked: float) -> None:
        """Learn from an answer that has just come; what is no date, or an absurd one, is ignored.

        @param date: the answer's C{Date} (whole seconds, cut off), written at some time since the request was sent.
        @param asked: when that was, by L{steady}.
        """
        now, said = self._steady(), _read(date)
        if said is None or not EARLIEST <= said <= LATEST:
            return
        newer = _Span(said - now, said + 1 - asked, now)
        self._ahead = newer if self._ahead is None else self._ahead.grown(now).narrowed(newer)
        self._tell(self.seconds() - self._wall())

    def seconds(self) -> float:
        """The server's time since 1970, as probable as any."""
        return (self._bounds()[0] + self._bounds()[1]) / 2

    def left(self, moment: datetime) -> float:
        """Seconds that certainly are left until a moment, which is an aware date; negative when it may be over."""
        return moment.timestamp() - self._bounds()[1]

    def until_past(self, moment: datetime) -> float:
        """Seconds after which a moment, which is an aware date, is certainly over; negative when it is."""
        return moment.timestamp() - self._bounds()[0]

    def _bounds(self) -> tuple[float, float]:
        """The earliest and the latest that it may be there."""
        if self._ahead is None:
            return self._wall(), self._wall()
        now = self._steady()
        ahead = self._ahead.grown(now)
        return now + ahead.low, now + ahead.high

    def _tell(self, ahead: float) -> None:
        if abs(ahead - self._said) < WORTH_SAYING:
            return
        self._said = ahead
        how = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} that of"
        if abs(ahead) < WORTH_SAYING:
            how = "again the same as that of"
        _log.warn("this machine's clock is {how} Taskcluster, which counts for claims and deadlines", how=how)


def _read(date: str) -> float | None:
    """Seconds since 1970; C{None} for what is no date."""
    try:
        parsed = parsedate_to_datetime(date)
        return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed).timestamp()
    except (ValueError, OverflowError):
        return None
