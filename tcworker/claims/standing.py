"""How a worker stands: what it is doing, since when, and what it has in hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tcworker.interfaces import JSON
from tcworker.task.claim import Claim, write_date


@dataclass(frozen=True)
class Standing:
    """One look at a worker; moments are seconds by its reactor's clock.

    @ivar state: of its machine (L{tcworker.lifecycle}).
    @ivar since: when it came into that.
    @ivar why: why it goes, empty while it does not.
    @ivar seconds_left: until it must be gone, C{None} while nobody has said.
    @ivar runs: those in hand, each with when it was taken.
    @ivar ahead: seconds by which the machine's clock is ahead of the reactor's.
    """

    state: str
    since: float
    why: str
    seconds_left: float | None
    runs: Sequence[tuple[Claim, float]]
    ahead: float = 0.0

    def as_json(self) -> dict[str, JSON]:
        """The same for programs, with dates."""
        return {
            "state": self.state,
            "since": self._date(self.since),
            "why": self.why or None,
            "secondsLeft": self.seconds_left,
            "runs": [
                {"taskId": claim.task_id, "runId": claim.run_id, "since": self._date(since)}
                for claim, since in self.runs
            ],
        }

    def _date(self, seconds: float) -> str:
        return write_date(datetime.fromtimestamp(seconds + self.ahead, UTC))
