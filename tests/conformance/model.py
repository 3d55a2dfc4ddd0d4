"""What the queue should do with one task, as short as can be: a model to compare a real queue with.

It is written from the table alone (contracts of the queue, 1.7) and shares nothing with any queue's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

RETRIED = {"worker-shutdown": "retry", "intermittent-task": "task-retry"}
OVER = ("completed", "failed", "exception")
MOST_RUNS = 50


class Conflict(Exception):
    """The queue should answer 409."""


class NotFound(Exception):
    """The queue should answer 404."""


@dataclass
class ModelRun:
    """One run."""

    created: str
    state: str = "pending"
    resolved: str | None = None


@dataclass
class ModelTask:
    """One task.

    @ivar priority: the higher the sooner.
    @ivar inserted: when it became pending, as a place in the order of all that did.
    @ivar ever_resolved: whether it was over before, even if it has been run again since.
    @ivar changes: counts what becomes pending, for all tasks of a queue together.
    """

    task_id: str
    retries: int
    priority: int
    changes: Iterator[int]
    retries_left: int = 0
    inserted: int = 0
    runs: list[ModelRun] = field(default_factory=list)
    ever_resolved: bool = False

    def __post_init__(self) -> None:
        self.retries_left = self.retries

    @property
    def state(self) -> str:
        return self.runs[-1].state if self.runs else "unscheduled"

    @property
    def ends(self) -> list[tuple[str, str, str | None]]:
        return [(run.created, run.state, run.resolved) for run in self.runs]

    def schedule(self) -> None:
        if not self.runs:
            self._append("scheduled")

    def claim(self) -> None:
        self.runs[-1].state = "running"

    def cancel(self) -> None:
        if not self.runs:
            self.runs.append(ModelRun("exception"))
        if self.state not in OVER:
            self._end("exception", "canceled")

    def rerun(self) -> None:
        if self.state in ("pending", "running"):
            return
        if len(self.runs) >= MOST_RUNS:
            raise Conflict
        self._append("rerun")
        self.retries_left = min(self.retries, MOST_RUNS - len(self.runs))

    def reclaim(self, run_id: int) -> None:
        if self._run(run_id).state != "running" or run_id != len(self.runs) - 1:
            raise Conflict

    def report(self, run_id: int, state: str) -> None:
        run = self._run(run_id)
        if run.state == state and run_id == len(self.runs) - 1:
            return
        if run.state != "running":
            raise Conflict
        self._end(state, state)

    def report_exception(self, run_id: int, reason: str) -> None:
        run = self._run(run_id)
        if run.state == "exception" and run.resolved == reason and run_id >= len(self.runs) - 2:
            return
        if run.state != "running":
            raise Conflict
        before = self.ever_resolved
        self._end("exception", reason)
        if reason in RETRIED and self.retries_left:
            self.retries_left -= 1
            self._append(RETRIED[reason])
            self.ever_resolved = before

    def change_priority(self, priority: int) -> None:
        if priority == self.priority:
            raise Conflict
        self.priority = priority

    def _append(self, reason: str) -> None:
        self.runs.append(ModelRun(reason))
        self.inserted = next(self.changes)

    def _run(self, run_id: int) -> ModelRun:
        if run_id >= len(self.runs):
            raise NotFound
        return self.runs[run_id]

    def _end(self, state: str, reason: str) -> None:
        self.runs[-1].state, self.runs[-1].resolved = state, reason
        self.ever_resolved = True


@dataclass
class ModelQueue:
    """All tasks of one task queue."""

    tasks: list[ModelTask] = field(default_factory=list)
    changes: Iterator[int] = field(default_factory=count)

    def add(self, task_id: str, retries: int, priority: int) -> ModelTask:
        task = ModelTask(task_id, retries, priority, self.changes)
        self.tasks.append(task)
        return task

    @property
    def pending(self) -> list[ModelTask]:
        """What can be claimed, in the order in which it will be."""
        waiting = [task for task in self.tasks if task.state == "pending"]
        return sorted(waiting, key=lambda task: (-task.priority, task.inserted))

    def take(self, most: int) -> list[ModelTask]:
        """Claim some."""
        taken = self.pending[:most]
        for task in taken:
            task.claim()
        return taken
