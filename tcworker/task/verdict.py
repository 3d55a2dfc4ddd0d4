"""Why a run ends: what its log says last, and what its verdict is made of; pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from tcworker.errors import Cause, Evidence, TaskError
from tcworker.interfaces import JSON, CommandRecord, IResult
from tcworker.task.resolution import (
    CANCELED,
    CLAIM_LOST,
    DEADLINE_EXCEEDED,
    FAILED,
    WORKER_SHUTDOWN,
    Resolution,
    resolution_of,
)


@dataclass(frozen=True)
class Verdict:
    """How a run that is not completed ends, and why.

    @ivar why: for the task's author, one line or more.
    @ivar evidence: which keys belong to which cause is in docs/verdict.md.
    """

    resolution: Resolution
    cause: Cause
    why: str
    evidence: Evidence = field(default_factory=dict)

    def as_json(self) -> JSON:
        """All of it, for another process to read."""
        ends = {"state": self.resolution.state, "reason": self.resolution.reason, "cause": self.cause.value}
        return {**ends, "why": self.why, "evidence": self.evidence}

    @classmethod
    def from_json(cls, found: JSON) -> Verdict:
        """Read what L{as_json} gave. Raises C{LookupError}, C{TypeError} or C{ValueError} if it is not that."""
        resolution = Resolution(found["state"], found["reason"])
        return cls(resolution, Cause(found["cause"]), str(found["why"]), dict(found["evidence"]))


BY_QUEUE = {
    CANCELED: Verdict(CANCELED, Cause.CANCELED, "the task was canceled"),
    DEADLINE_EXCEEDED: Verdict(DEADLINE_EXCEEDED, Cause.DEADLINE_EXCEEDED, "the task's deadline is over"),
    CLAIM_LOST: Verdict(CLAIM_LOST, Cause.CLAIM_LOST, "the claim was lost; another worker may run the task by now"),
}
"""What there is to say of what the queue decided itself."""


def by_error(error: TaskError) -> Verdict:
    """Of a run that ends with an error."""
    evidence = error.evidence
    if error.cause == Cause.MALFORMED_PAYLOAD:
        evidence = {**evidence, "problems": list(error.messages)}
    return Verdict(resolution_of(error), error.cause, str(error), evidence)


def by_shutdown(seconds: float) -> Verdict:
    """Of a run whose worker must be gone in so many seconds."""
    why = "the worker is shutting down; the queue gives the task to another worker"
    return Verdict(WORKER_SHUTDOWN, Cause.WORKER_SHUTDOWN, why, {"secondsLeft": round(seconds, 3)})


def by_result(result: IResult) -> Verdict:
    """Of a run whose commands did not succeed."""
    return Verdict(FAILED, _cause_of(result), why_failed(result))


def by_death(begun: bool, resolution: Resolution = WORKER_SHUTDOWN) -> Verdict:
    """Of a run whose worker died without a word, as the next one has it.

    @param begun: whether the task's commands had been started.
    @param resolution: what the queue has been told, or L{CLAIM_LOST} when it was too late for that.
    """
    why = "the worker died while it had this task; what the task printed before that is all that is known of it"
    return Verdict(resolution, Cause.WORKER_DIED, why, {"begun": begun})


def by_leaving(seconds: float, resolution: Resolution = WORKER_SHUTDOWN) -> Verdict:
    """Of a run whose worker had to be gone in so many seconds, and did not come to publish the log in them.

    @param resolution: as L{by_death} has it.
    """
    why = (
        f"the worker was told to be gone in {seconds:.0f} s, and was gone before it could publish this log; what the "
        "task printed before that is all that is known of it"
    )
    return Verdict(resolution, Cause.WORKER_SHUTDOWN, why, {"secondsLeft": round(seconds, 3)})


def by_silence(resolution: Resolution) -> Verdict:
    """Of a run of whose end the queue could not be told before the claim was over.

    @param resolution: that end.
    """
    why = f"the run was {resolution}, but the queue could not be told that before the claim was over"
    return Verdict(CLAIM_LOST, Cause.CLAIM_LOST, f"{why}; another worker may run the task by now")


def by_resolution(resolution: Resolution) -> Verdict:
    """Of a run of which no more is known than how it ended, since its worker was gone before it said why."""
    if resolution in BY_QUEUE:
        return BY_QUEUE[resolution]
    cause = _OF_REASONS.get(resolution.reason, Cause.WORKER_FAULT)
    return Verdict(
        resolution, cause, f"the run ended as {resolution}; the worker was gone before its log was published"
    )


_OF_REASONS = {
    "failed": Cause.TASK_FAULT,
    "intermittent-task": Cause.TASK_FAULT,
    "malformed-payload": Cause.TASK_FAULT,
    "resource-unavailable": Cause.RESOURCE_UNAVAILABLE,
    "worker-shutdown": Cause.WORKER_SHUTDOWN,
}


def why_failed(result: IResult) -> str:
    """Say why a result is no success, for the task's author."""
    if result.killed is not None:
        return f"the task was killed: {result.killed}"
    if not result.commands:
        return "the task ran no command to its end"
    # Counted from 0, as the lines about each command are.
    why = f"command {len(result.commands) - 1} {_how_ended(result.commands[-1])}"
    return f"{why}: the task ran out of memory" if result.out_of_memory else why


def command_evidence(result: IResult | None) -> Evidence:
    """Tell how the last command ended; nothing where none did."""
    if result is None or not result.commands:
        return {}
    last = result.commands[-1]
    usage = {"seconds": round(last.wall, 3), "peakMemory": last.peak}
    return {"command": {"number": len(result.commands) - 1, **_how(last), **usage}}


def _cause_of(result: IResult) -> Cause:
    if result.out_of_memory:
        return Cause.OUT_OF_MEMORY
    if result.killed is not None or not result.commands:
        return Cause.TASK_FAULT
    last = result.commands[-1]
    if last.problem is not None:
        return Cause.NOT_STARTED
    return Cause.EXIT_STATUS if last.exit.signal is None else Cause.SIGNAL


def _how(command: CommandRecord) -> Evidence:
    if command.problem is not None:
        return {"problem": command.problem}
    if command.exit.signal is not None:
        return {"signal": signal_name(command.exit.signal)}
    return {"status": command.exit.status}


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
