"""How a run ends, in the queue's words."""

from __future__ import annotations

from dataclasses import dataclass

from tcworker.errors import TaskError


@dataclass(frozen=True)
class Resolution:
    """How a run ends, in the queue's words.

    @ivar state: C{completed}, C{failed} or C{exception}.
    @ivar reason: the reason of an exception, for example C{worker-shutdown}; else the same as C{state}.
    """

    state: str
    reason: str

    def __str__(self) -> str:
        return self.state if self.state == self.reason else f"{self.state}/{self.reason}"


COMPLETED = Resolution("completed", "completed")
FAILED = Resolution("failed", "failed")
WORKER_SHUTDOWN = Resolution("exception", "worker-shutdown")
CANCELED = Resolution("exception", "canceled")
DEADLINE_EXCEEDED = Resolution("exception", "deadline-exceeded")
CLAIM_LOST = Resolution("exception", "claim-expired")

DECIDED_BY_QUEUE = frozenset({CANCELED, DEADLINE_EXCEEDED, CLAIM_LOST})
"""What the queue says of a run itself: nobody reports these."""


def resolution_of(error: TaskError) -> Resolution:
    """What becomes of a run that ends with an error."""
    return Resolution(error.state, error.reason)
