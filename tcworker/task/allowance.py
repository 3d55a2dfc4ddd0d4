"""How long a run's uploads may take."""

from __future__ import annotations

from datetime import datetime

from tcworker.client.server_time import ServerTime

AFTER_RESOLUTION = 25 * 60.0
"""Seconds in which the queue takes artifacts of a run that ended as an exception (contracts of the queue, 1.9)."""

TOLERANCE = 5 * 60.0
"""Seconds for which auth takes credentials after their end (contracts of the queue, 3.3)."""


def of_left_run(time: ServerTime, taken_until: datetime) -> Allowance:
    """That of a run which has ended, and whose claim nobody prolongs any more."""
    allowance = Allowance(time, taken_until)
    allowance.claim_lost()
    allowance.limit(AFTER_RESOLUTION)
    return allowance


class Allowance:
    """The time in which uploads must end; the shortest limit counts.

    @ivar taken_until: when the claim, and with it its credentials, ends; set anew at each reclaim.
    @param time: of the server, whose the claim is; its steady clock measures the other limits.
    """

    def __init__(self, time: ServerTime, taken_until: datetime) -> None:
        self.taken_until = taken_until
        self._time = time
        self._until: float | None = None
        self._tolerance = 0.0

    def limit(self, seconds: float) -> None:
        """From now so many seconds and no more; repeatable."""
        until = self._time.steady() + seconds
        self._until = until if self._until is None else min(until, self._until)

    def claim_lost(self) -> None:
        """Nobody prolongs the credentials any more; what auth tolerates after their end is all there is."""
        self._tolerance = TOLERANCE

    def claim_left(self) -> float:
        """Seconds until the claim is certainly over; negative when it is."""
        return self._time.until_past(self.taken_until)

    def credentials_left(self) -> float:
        """Seconds for which auth takes the credentials if nobody prolongs them; negative when it does not any more."""
        return self.claim_left() + TOLERANCE

    def left(self) -> float:
        """Seconds; 0 when the time is over."""
        claim = self.claim_left() + self._tolerance
        limit = claim if self._until is None else self._until - self._time.steady()
        return max(0.0, min(claim, limit))
