"""What several failures of one stage come to, and what to make of a failure that nobody foresaw."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import uuid4

from twisted.internet.defer import FirstError, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.errors import (
    Cause,
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

_BROKEN = {errno.EIO, errno.EROFS, errno.ESTALE}
"""Of a disk that failed, for which a file system was made read-only, or that is another one now."""

_GRAVEST_FIRST: tuple[type[TaskError], ...] = (
    InternalError,
    WorkerShutdown,
    ResourceUnavailable,
    MalformedPayload,
    IntermittentTask,
    TaskFailed,
)


def join(errors: Sequence[TaskError]) -> TaskError | None:
    """Make one error of several: the gravest kind wins, with all messages of that kind and the cause of the first."""
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
    first = errors[0]
    if kind is InternalError:
        fatal = any(getattr(error, "fatal", False) for error in errors)
        return InternalError(*messages, fatal=fatal, cause=first.cause, evidence=first.evidence)
    return kind(*messages, cause=first.cause, evidence=first.evidence)


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
        evidence = {"what": failure.value.method, "error": failure.value.message}
        return ResourceUnavailable(str(failure.value), cause=Cause.TASKCLUSTER_AWAY, evidence=evidence)
    # Its text may hold what is not for the task's author, who gets a name to ask about.
    if (full := full_disk(failure.value)) is not None:
        path, problem = full
        evidence = {"path": path, "error": problem}
        return ResourceUnavailable(f"{what}: {path}: {problem}", cause=Cause.NO_DISK, evidence=evidence)
    if (broken := broken_disk(failure.value)) is not None:
        path, problem = broken
        return on_broken_disk(f"{what}: {path}: {problem}", path, problem)
    incident = uuid4().hex[:12]
    _log.failure("incident {incident}: {what}", failure=failure, incident=incident, what=what, run=run)
    why = f"internal error of the worker, incident {incident}; its log says more under this name"
    return InternalError(why, evidence={"incident": incident})


def may_come(failure: Failure) -> bool:
    """Whether what could not be published can be when disk or storage are as they should be."""
    refused = getattr(failure.value, "cause", None) == Cause.UPLOAD_REFUSED
    return failure.check(OSError, ResourceUnavailable, TimeoutError) is not None and not refused


def on_broken_disk(message: str, path: str, problem: str) -> InternalError:
    """Say that the worker cannot work there: some such runs in a row hold it back, and then end it."""
    evidence = {"path": path, "error": problem}
    return InternalError(f"{message}. The worker needs that: look after {path} and its disk (dmesg)", evidence=evidence)


def broken_disk(error: BaseException | None) -> tuple[str, str] | None:
    """What of a disk that is broken, and in whose words; C{None} for any other error."""
    if isinstance(error, OSError) and error.errno in _BROKEN:
        return str(error.filename or "the disk"), str(error.strerror)
    return None


def full_disk(error: BaseException | None) -> tuple[str, str] | None:
    """What of a disk that is full, which is nobody's fault, and in whose words; C{None} for any other error."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return str(error.filename or "the disk"), str(error.strerror)
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return "the worker's state", str(error)
    return None
