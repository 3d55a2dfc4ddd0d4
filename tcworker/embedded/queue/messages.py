"""What the queue tells of a task, a group or an artifact: the messages, pure (contracts of the queue, 2.1 to 2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tcworker.embedded import dates
from tcworker.embedded.outbox import Message
from tcworker.embedded.queue.states import Run, Task
from tcworker.interfaces import JSON

NOTHING = "_"
"""The word of a routing key that does not apply."""


@dataclass(frozen=True)
class About:
    """What messages take from a task's definition.

    @ivar routes: to whom else they go, without C{route.}.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[str] = ()


@dataclass(frozen=True)
class Group:
    """What messages say of a group; dates in milliseconds, C{sealed} is C{None} while it is open."""

    group_id: str
    scheduler_id: str
    expires: int
    sealed: int | None = None


def of_creation(task: Task, about: About) -> Message:
    """Give the message of a task that is new: of how it was before its first run."""
    bare = replace(task, runs=())
    return _of_task("task-defined", bare, {"task": _shown(about)}, about)


def of_change(before: Task, after: Task, about: About) -> Sequence[Message]:
    """Give the messages of what became of a task: of each run that is new or in another state, and of its priority."""
    told = [] if before.priority == after.priority else [of_priority(before, after, about)]
    was = [run.state for run in before.runs]
    changed = (run for run in after.runs if [run.state] != was[run.run_id : run.run_id + 1])
    return [*told, *(of_run(after, run, about) for run in changed)]


def of_run(task: Task, run: Run, about: About) -> Message:
    """Give the message of how a run stands."""
    said: JSON = {"runId": run.run_id, "task": _shown(about)}
    # Whoever listens for their own worker does not hear of deadlines: it is so in a real deployment, too.
    if run.reason_resolved != "deadline-exceeded":
        said |= _worker(run)
    if run.state == "running":
        said["takenUntil"] = dates.write(run.taken_until or 0)
    return _of_task(f"task-{run.state}", task, said, about)


def of_priority(before: Task, after: Task, about: About) -> Message:
    """Give the message of a changed priority."""
    return _of_task(
        "task-priority-changed", after, {"oldPriority": before.priority, "newPriority": after.priority}, about
    )


def of_artifact(task: Task, run_id: int, artifact: JSON, about: About) -> Message:
    """Give the message of an artifact that is there now: not for storage type C{s3}, which nobody says to be there.

    @param artifact: C{storageType}, C{name}, C{expires} and C{contentType}.
    """
    said = {"runId": run_id, **_worker(task.runs[run_id]), "artifact": artifact}
    return _of_task("artifact-created", task, said, about)


def of_resolved_group(group: Group) -> Message:
    """Give the message of a group in which nothing is left to be done, for now."""
    return _of_group("task-group-resolved", group, _dated(group))


def of_sealed_group(group: Group) -> Message:
    """Give the message of a group that takes no more tasks."""
    return _of_group("task-group-sealed", group, _dated(group))


def of_group_priority(group: Group, priority: str, affected: int) -> Message:
    """Give the message of a group in which so many tasks have another priority now."""
    return _of_group("task-group-priority-changed", group, {"newPriority": priority, "tasksAffected": affected})


def _of_task(exchange: str, task: Task, said: JSON, about: About) -> Message:
    words = [task.task_id, said.get("runId"), said.get("workerGroup"), said.get("workerId")]
    key = _key(*words, *task.task_queue_id.split("/"), task.scheduler_id, task.group_id, None)
    payload = {"version": 1, "status": task.status(), **said}
    return Message("queue", exchange, key, payload, tuple(about.routes))


def _of_group(exchange: str, group: Group, said: JSON) -> Message:
    payload = {"version": 1, "taskGroupId": group.group_id, "schedulerId": group.scheduler_id, **said}
    return Message("queue", exchange, _key(group.group_id, group.scheduler_id, None), payload)


def _key(*words: str | int | None) -> str:
    return ".".join(["primary", *(NOTHING if word is None else str(word) for word in words)])


def _shown(about: About) -> JSON:
    return {"tags": dict(about.tags)}


def _worker(run: Run) -> JSON:
    """Give who had the run, if anybody."""
    if run.worker_id is None:
        return {}
    return {"workerGroup": run.worker_group, "workerId": run.worker_id}


def _dated(group: Group) -> JSON:
    sealed = {} if group.sealed is None else {"sealed": dates.write(group.sealed)}
    return {"expires": dates.write(group.expires), **sealed}
