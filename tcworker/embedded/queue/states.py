"""What becomes of a task: its runs and every change of them, pure (contracts of the queue, 1.6 and 1.7).

Each function gives the task as it is afterwards. L{ApiError} says that the state does not allow the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tcworker.embedded import dates
from tcworker.embedded.faults import conflict, not_found
from tcworker.interfaces import JSON

MOST_RUNS = 50

RETRIES: Mapping[str, str] = {"worker-shutdown": "retry", "claim-expired": "retry", "intermittent-task": "task-retry"}
"""The ends of a run after which there is another one by itself, and what that one is said to be created for."""


@dataclass(frozen=True)
class Run:
    """One run of a task; dates in milliseconds."""

    run_id: int
    state: str
    reason_created: str
    scheduled: int
    reason_resolved: str | None = None
    worker_group: str | None = None
    worker_id: str | None = None
    taken_until: int | None = None
    started: int | None = None
    resolved: int | None = None

    def to_json(self) -> JSON:
        """Give it as a status shows it: what is not there is left out."""
        dated = {"scheduled", "taken_until", "started", "resolved"}
        shown = ((name, getattr(self, name)) for name in _NAMES)
        return {
            _NAMES[name]: dates.write(value) if name in dated else value for name, value in shown if value is not None
        }


_NAMES: Mapping[str, str] = {
    "run_id": "runId",
    "state": "state",
    "reason_created": "reasonCreated",
    "reason_resolved": "reasonResolved",
    "worker_group": "workerGroup",
    "worker_id": "workerId",
    "taken_until": "takenUntil",
    "scheduled": "scheduled",
    "started": "started",
    "resolved": "resolved",
}


@dataclass(frozen=True)
class Task:
    """A task as the queue thinks of it, without its definition."""

    task_id: str
    task_queue_id: str
    scheduler_id: str
    project_id: str
    group_id: str
    priority: str
    deadline: int
    expires: int
    retries: int
    retries_left: int
    requires: str
    runs: Sequence[Run] = ()

    @property
    def state(self) -> str:
        """Of its last run."""
        return self.runs[-1].state if self.runs else "unscheduled"

    @property
    def resolved(self) -> bool:
        """Whether it is over, unless somebody reruns it."""
        return self.state in ("completed", "failed", "exception")

    @property
    def ever_resolved(self) -> bool:
        """Whether it is over, or was before somebody reran it."""
        return self.resolved or any(run.reason_created == "rerun" for run in self.runs[1:])

    def run(self, run_id: int) -> Run:
        """Give one run. Raises L{ApiError} when there is no such run."""
        if run_id >= len(self.runs):
            raise not_found(f"Task {self.task_id} has no run {run_id}.")
        return self.runs[run_id]

    def status(self) -> JSON:
        """Give the status structure."""
        provisioner_id, worker_type = self.task_queue_id.split("/")
        return {
            "taskId": self.task_id,
            "provisionerId": provisioner_id,
            "workerType": worker_type,
            "taskQueueId": self.task_queue_id,
            "schedulerId": self.scheduler_id,
            "projectId": self.project_id,
            "taskGroupId": self.group_id,
            "priority": self.priority,
            "deadline": dates.write(self.deadline),
            "expires": dates.write(self.expires),
            "retriesLeft": self.retries_left,
            "state": self.state,
            "runs": [run.to_json() for run in self.runs],
        }


def schedule(task: Task, now: int) -> Task:
    """Give it its first run; nothing changes when it has runs already."""
    return task if task.runs else _with_run(task, "scheduled", now)


def schedule_by_user(task: Task, now: int) -> Task:
    """Give it its first run, whatever it waits for; nothing changes when it has runs already."""
    _check_deadline(task, now)
    return schedule(task, now)


def claim(task: Task, run_id: int, worker_group: str, worker_id: str, now: int, taken_until: int) -> Task:
    """Hand its last run, which is pending, to a worker."""
    taken: dict[str, Any] = {"worker_group": worker_group, "worker_id": worker_id, "taken_until": taken_until}
    return _change(task, run_id, state="running", started=now, **taken)


def reclaim(task: Task, run_id: int, now: int, taken_until: int) -> Task:
    """Leave a run with its worker for longer."""
    run = task.run(run_id)
    _check_deadline(task, now)
    if run_id != len(task.runs) - 1 or run.state != "running":
        raise conflict(
            f"Run {run_id} of task {task.task_id} is {_spell_state(task, run)}, not running: nobody can reclaim it."
        )
    return _change(task, run_id, taken_until=max(taken_until, run.taken_until or 0))


def report(task: Task, run_id: int, state: str, now: int) -> Task:
    """End a run as completed or failed; saying the same again changes nothing."""
    run = task.run(run_id)
    if run.state == state and run_id == len(task.runs) - 1:
        return task
    # There is no deadline here: a run that ends late, but before the queue has noticed, has ended.
    if run.state != "running":
        raise conflict(f"Run {run_id} of task {task.task_id} is {_spell_state(task, run)}, and cannot be {state}.")
    return _change(task, run_id, state=state, reason_resolved=state, resolved=now)


def report_exception(task: Task, run_id: int, reason: str, now: int) -> Task:
    """End a run as an exception, with another run where the reason asks for one and retries are left."""
    run = task.run(run_id)
    newer = len(task.runs) - 1 - run_id
    # A worker may say it again when the answer was lost, and the retry is there already.
    if run.state == "exception" and run.reason_resolved == reason and newer <= 1:
        return task
    if run.state != "running" or newer:
        raise conflict(
            f"Run {run_id} of task {task.task_id} is {_spell_state(task, run)}, and cannot end with {reason}."
        )
    return _end_run_and_retry(task, run_id, reason, now)


def claim_by_name(task: Task, run_id: int, worker_group: str, worker_id: str, now: int, taken_until: int) -> Task:
    """Hand a run to a worker who names it."""
    run = task.run(run_id)
    _check_deadline(task, now)
    if run_id != len(task.runs) - 1 or run.state != "pending":
        raise conflict(
            f"Run {run_id} of task {task.task_id} is {_spell_state(task, run)}, not pending: nobody can claim it."
        )
    return claim(task, run_id, worker_group, worker_id, now, taken_until)


def expire_claim(task: Task, run_id: int, taken_until: int, now: int) -> Task:
    """Take a run from a worker who did not reclaim it; nothing changes if that is not how things are."""
    held = run_id == len(task.runs) - 1 and task.runs[run_id].state == "running"
    if not held or task.runs[run_id].taken_until != taken_until or now > task.deadline:
        return task
    return _end_run_and_retry(task, run_id, "claim-expired", now)


def lose_worker(task: Task, run_id: int, now: int) -> Task:
    """Take a run from a worker that is gone; nothing changes if nobody has it."""
    held = run_id == len(task.runs) - 1 and task.runs[run_id].state == "running"
    return _end_run_and_retry(task, run_id, "worker-shutdown", now) if held and now <= task.deadline else task


def cancel(task: Task, now: int) -> Task:
    """End it at somebody's wish; a task that is over stays as it is."""
    _check_deadline(task, now)
    return _end_task(task, "canceled", now)


def pass_deadline(task: Task, now: int) -> Task:
    """End it because its time is over; a task that is over stays as it is."""
    return _end_task(task, "deadline-exceeded", now)


def rerun(task: Task, now: int) -> Task:
    """Give it another run; a task that waits or runs stays as it is."""
    _check_deadline(task, now)
    if task.state in ("pending", "running"):
        return task
    if len(task.runs) >= MOST_RUNS:
        raise conflict(f"Task {task.task_id} has had {MOST_RUNS} runs, which is as many as it may have.")
    left = min(task.retries, MOST_RUNS - len(task.runs) - 1)
    return _with_run(replace(task, retries_left=left), "rerun", now)


def change_priority(task: Task, priority: str, now: int) -> Task:
    """Let it come sooner or later than others."""
    _check_deadline(task, now)
    if task.ever_resolved:
        raise conflict(f"Task {task.task_id} is over, or was before it was rerun: its priority cannot change.")
    # The real queue makes no difference between what has changed nothing and what may not change.
    if priority == task.priority:
        raise conflict(f"Task {task.task_id} has priority {priority} already.")
    return replace(task, priority=priority)


def _check_deadline(task: Task, now: int) -> None:
    if now > task.deadline:
        raise conflict(f"The deadline of task {task.task_id} is over.")


def _end_task(task: Task, reason: str, now: int) -> Task:
    if task.resolved:
        return task
    if not task.runs:
        over = Run(0, "exception", "exception", now, reason, resolved=now)
        return replace(task, runs=(over,))
    return _change(task, len(task.runs) - 1, state="exception", reason_resolved=reason, resolved=now)


def _end_run_and_retry(task: Task, run_id: int, reason: str, now: int) -> Task:
    ended = _change(task, run_id, state="exception", reason_resolved=reason, resolved=now)
    if reason not in RETRIES or not task.retries_left:
        return ended
    return _with_run(replace(ended, retries_left=task.retries_left - 1), RETRIES[reason], now)


def _with_run(task: Task, reason: str, now: int) -> Task:
    return replace(task, runs=(*task.runs, Run(len(task.runs), "pending", reason, now)))


def _change(task: Task, run_id: int, **changes: Any) -> Task:
    runs = list(task.runs)
    runs[run_id] = replace(runs[run_id], **changes)
    return replace(task, runs=tuple(runs))


def _spell_state(task: Task, run: Run) -> str:
    older = "" if run is task.runs[-1] else ", and not the latest"
    return f"{run.state}/{run.reason_resolved}{older}" if run.reason_resolved else f"{run.state}{older}"
