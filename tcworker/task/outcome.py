"""What several failures of one stage come to, and what to make of a failure that nobody foresaw."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.errors import (
    IntermittentTask,
    InternalError,
    MalformedPayload,
    ResourceUnavailable,
    TaskError,
    TaskFailed,
    Unreachable,
    WorkerShutdown,
)

_log = Logger()

_GRAVEST_FIRST: tuple[type[TaskError], ...] = (
    InternalError,
    WorkerShutdown,
    ResourceUnavailable,
    MalformedPayload,
    IntermittentTask,
    TaskFailed,
)


def join(errors: Sequence[TaskError]) -> TaskError | None:
    """Make one error of several: the gravest kind wins, with the messages of all of that kind."""
    for kind in _GRAVEST_FIRST:
        same = [error for error in errors if isinstance(error, kind)]
        if same:
            return same[0] if len(same) == 1 else _merge(kind, same)
    return errors[0] if errors else None


def _merge(kind: type[TaskError], errors: Sequence[TaskError]) -> TaskError:
    messages = dict.fromkeys(message for error in errors for message in error.messages)
    if kind is InternalError:
        return InternalError(*messages, fatal=any(getattr(error, "fatal", False) for error in errors))
    return kind(*messages)


def as_task_error(failure: Failure, run: str, what: str) -> TaskError:
    """Give what a failure means for a run.

    What nobody foresaw becomes an L{InternalError} that names an incident, under which the worker's log has the
    traceback.

    @param run: C{taskId/runId}.
    @param what: what was being done, for the worker's log.
    """
    if isinstance(failure.value, TaskError):
        return failure.value
    # Taskcluster being away is not the worker's fault.
    if isinstance(failure.value, Unreachable):
        return ResourceUnavailable(str(failure.value))
    # Its text may hold what is not for the task's author, who gets a name to ask about.
    incident = uuid4().hex[:12]
    _log.failure("incident {incident}: {what}", failure=failure, incident=incident, what=what, run=run)
    return InternalError(f"internal error of the worker, incident {incident}; its log says more under this name")
