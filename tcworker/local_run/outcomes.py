"""How tasks ended, for people and for shells; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tcworker.interfaces import JSON, IResult
from tcworker.local_run.definitions import LocalTask
from tcworker.local_run.output import GREEN, RED, YELLOW
from tcworker.task.claim import read_date
from tcworker.task.resolution import DECIDED_BY_QUEUE, Resolution
from tcworker.task.verdict import why_failed

COMPLETED, FAILED, EXCEPTION, UNUSABLE = 0, 1, 2, 64
"""Exit statuses."""

_STATUSES = {"completed": COMPLETED, "failed": FAILED, "exception": EXCEPTION}

_COLOURS = {"completed": GREEN, "failed": RED, "exception": YELLOW}


@dataclass(frozen=True)
class Outcome:
    """How one task ended.

    @ivar status: of the task, as the queue tells it.
    @ivar result: of the last run's sandbox, C{None} if there was none.
    @ivar waited_for: the name of the task whose end kept this one from running at all.
    """

    task: LocalTask
    status: JSON
    result: IResult | None = None
    waited_for: str | None = None

    @property
    def run(self) -> JSON | None:
        """The last run, as the queue tells it; C{None} if none was ever claimed."""
        # A task that was cancelled before it was claimed has a run, too, which nobody began.
        runs = [run for run in self.status["runs"] if "started" in run]
        return runs[-1] if runs else None

    @property
    def resolution(self) -> Resolution:
        """What the queue says of it."""
        reasons = [run["reasonResolved"] for run in self.status["runs"] if "reasonResolved" in run]
        return Resolution(self.status["state"], reasons[-1] if reasons else self.status["state"])

    @property
    def colour(self) -> str:
        """To show it in."""
        return _COLOURS[self.status["state"]]

    def __str__(self) -> str:
        if self.waited_for is not None:
            return f"{self.task.name}: did not run, for {self.waited_for} was not completed"
        return f"{self.task.name}: {self.resolution}{self._how_long()}{self._why()}"

    def _how_long(self) -> str:
        run = self.run
        if run is None or "resolved" not in run:
            return ""
        return f" in {duration((read_date(run['resolved']) - read_date(run['started'])).total_seconds())}"

    def _why(self) -> str:
        # Being killed is what cancelling does; the resolution has said why.
        if self.result is None or self.result.success or self.resolution in DECIDED_BY_QUEUE:
            return ""
        return f": {why_failed(self.result)}"


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """That of the worst; a task that never ran is the fault of another one."""
    return max((_STATUSES[outcome.status["state"]] for outcome in outcomes if outcome.waited_for is None), default=0)


def duration(seconds: float) -> str:
    """Say how long something took, as exactly as anybody wants to know."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
