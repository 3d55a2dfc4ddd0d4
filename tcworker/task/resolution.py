"""How a run ends, and which of several ends wins."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from tcworker.errors import TaskError
from tcworker.interfaces import CommandRecord, IResult


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


def why_failed(result: IResult) -> str:
    """Say why a result is no success, for the task's author."""
    if result.killed is not None:
        return f"the task was killed: {result.killed}"
    if not result.commands:
        return "the task ran no command to its end"
    # Counted from 0, as the lines about each command are.
    why = f"command {len(result.commands) - 1} {_how_ended(result.commands[-1])}"
    return f"{why}: the task ran out of memory" if result.out_of_memory else why


def _how_ended(command: CommandRecord) -> str:
    if command.problem is not None:
        return f"could not be started: {command.problem}"
    if command.exit.signal is not None:
        return f"was killed by {signal_name(command.exit.signal)}"
    return f"exited with status {command.exit.status}"


def signal_name(number: int) -> str:
    """The name of a signal, for example C{SIGKILL}."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
