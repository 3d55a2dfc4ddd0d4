"""What several failures of one stage come to, and what to make of a failure that nobody foresaw."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import uuid4

from twisted.internet.defer import FirstError
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

T = TypeVar("T")

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


class Attempts:
    """Makes several things, so that all that is wrong with them is said at once."""

    def __init__(self) -> None:
        self._errors: list[TaskError] = []

    def make(self, how: Callable[[], T]) -> T | None:
        """Give what is made, C{None} when that ended with a L{TaskError}."""
        try:
            return how()
        except TaskError as error:
            self._errors.append(error)
            return None

    def check(self) -> None:
        """Raise what the errors come to, if there were any."""
        if joined := join(self._errors):
            raise joined


def _merge(kind: type[TaskError], errors: Sequence[TaskError]) -> TaskError:
    # Each once: many artifacts fail for one and the same reason.
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
    # gatherResults wraps what one of several Deferreds failed with.
    while isinstance(failure.value, FirstError):
        failure = failure.value.subFailure
    if isinstance(failure.value, TaskError):
        return failure.value
    # Taskcluster being away is not the worker's fault.
    if isinstance(failure.value, Unreachable):
        return ResourceUnavailable(str(failure.value))
    # Its text may hold what is not for the task's author, who gets a name to ask about.
    if (full := _full_disk(failure.value)) is not None:
        return ResourceUnavailable(f"{what}: {full}")
    incident = uuid4().hex[:12]
    _log.failure("incident {incident}: {what}", failure=failure, incident=incident, what=what, run=run)
    return InternalError(f"internal error of the worker, incident {incident}; its log says more under this name")


def _full_disk(error: BaseException | None) -> str | None:
    """What there is to say of a disk that is full, which is nobody's fault; C{None} for any other error."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.filename or 'the disk'}: {error.strerror}"
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return f"the worker's state: {error}"
    return None
