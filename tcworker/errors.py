"""The errors that pass between the parts, each knowing what becomes of the run (or of the worker) that meets it.

Three families: a L{TaskError} ends a run and knows its resolution; a L{SandboxError} is an answer of a platform that
its caller decides about; the rest is about the worker itself and Taskcluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias

from tcworker.causes import Cause as Cause  # part of the contract of TaskError

Evidence: TypeAlias = Mapping[str, Any]
"""JSON that shows what caused something; which keys belong to which cause is in docs/verdict.md."""


class ProcessStatus(IntEnum):
    """What a worker's process ends with (contracts of generic-worker, 6)."""

    DONE = 0
    UNUSABLE_CONFIG = 64
    IDLE = 68
    INTERNAL_ERROR = 69
    HOST_SAYS_GO = 70
    INTERRUPTED = 71
    SHUTDOWN = 72
    INVALID_CONFIG = 73
    EXPOSED_CONFIG = 77


class TaskError(Exception):
    """Something that ends a run; C{state} and C{reason} are the queue's words for how.

    @cvar usual_cause: what an error of this kind is caused by when nobody says it more exactly.
    @ivar messages: what the task's author reads in the log, one line or more each.
    @ivar cause: for the run's verdict.
    """

    state: ClassVar[str] = "exception"
    reason: ClassVar[str] = "internal-error"
    usual_cause: ClassVar[Cause] = Cause.WORKER_FAULT

    def __init__(self, *messages: str, cause: Cause | None = None, evidence: Evidence | None = None) -> None:
        super().__init__(*messages)
        self.messages: tuple[str, ...] = messages
        self.cause = cause or self.usual_cause
        self.evidence: Evidence = evidence or {}

    def __str__(self) -> str:
        return "\n".join(self.messages)


class MalformedPayload(TaskError):
    """The task's author asked for what cannot be; each message names the place in the payload."""

    reason = "malformed-payload"
    usual_cause = Cause.MALFORMED_PAYLOAD


class FeatureNotSupported(MalformedPayload):
    """The platform that runs the task does not have what the task asks for."""


class NamingConflict(MalformedPayload):
    """One name (a variable, a mount point, an artifact) was claimed twice."""


class TaskFailed(TaskError):
    """The task itself did not succeed."""

    state = "failed"
    reason = "failed"
    usual_cause = Cause.TASK_FAULT


class DownloadFailed(TaskFailed):
    """Content that the task asks for could not be had, or is not what it should be.

    Its messages say what and why, not for which mount.
    """


class ContentChanged(DownloadFailed):
    """What is there is not what was there when a task's content was found out, and had its key from that."""


class ResourceUnavailable(TaskError):
    """What the run needs was not to be had: disk, a service, a storage."""

    reason = "resource-unavailable"
    usual_cause = Cause.RESOURCE_UNAVAILABLE

    @classmethod
    def no_disk(cls, message: str, path: str, error: OSError) -> ResourceUnavailable:
        """A disk did not take what the run had to write.

        @param path: what was to be written.
        """
        evidence = {"path": path, "error": error.strerror or str(error)}
        return cls(message, cause=Cause.NO_DISK, evidence=evidence)

    @classmethod
    def refused(cls, what: str, error: str) -> ResourceUnavailable:
        """Queue or storage do not take something, and asking again would not help."""
        return cls(f"{what}: {error}", cause=Cause.UPLOAD_REFUSED, evidence={"what": what, "error": error})


class IntermittentTask(TaskError):
    """The task asked by its exit status to be run again."""

    reason = "intermittent-task"
    usual_cause = Cause.EXIT_STATUS


class WorkerShutdown(TaskError):
    """The worker must go before the task is done; the queue gives it to another."""

    reason = "worker-shutdown"
    usual_cause = Cause.WORKER_SHUTDOWN


class TooLate(WorkerShutdown):
    """The worker must go before an artifact would be published."""

    usual_cause = Cause.OUT_OF_TIME


class InternalError(TaskError):
    """The worker is at fault.

    @ivar fatal: whether the worker itself is suspect and should take no more tasks.
    """

    def __init__(
        self, *messages: str, fatal: bool = False, cause: Cause | None = None, evidence: Evidence | None = None
    ) -> None:
        super().__init__(*messages, cause=cause, evidence=evidence)
        self.fatal = fatal


class SandboxError(Exception):
    """An answer of a sandbox that its caller decides about."""


class Discarded(SandboxError):
    """The engine was discarded before its sandbox ran."""


class SandboxAborted(SandboxError):
    """The sandbox was aborted: there is no result."""


class SandboxEnded(SandboxError):
    """The sandbox is already over: the result is there and must be disposed."""


class ArchiveError(SandboxError):
    """A path of the task could not be archived; C{reason} is the queue's word for it in an error artifact."""

    reason: ClassVar[str] = "invalid-resource-on-worker"


class NotFound(ArchiveError):
    """There is nothing at this path."""

    reason = "file-missing-on-worker"


class NotReadable(ArchiveError):
    """The task's user may not read what is at this path."""

    reason = "file-not-readable-on-worker"


class NotAFile(ArchiveError):
    """A folder where a file was asked for, a file where a folder was, or neither of them."""


@dataclass(frozen=True)
class Fault:
    """One fault of a configuration.

    @ivar place: where, as C{file: key.key[index]} or the key alone.
    @ivar found: what stands there.
    @ivar expected: what was expected in its stead, the nearest known name included.
    """

    place: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.place}: found {self.found}, expected {self.expected}"


class ConfigError(Exception):
    """The configuration cannot be used; all faults at once.

    @ivar exit_status: C{UNUSABLE_CONFIG} for a file that cannot be read or has unknown keys, C{INVALID_CONFIG} for
        values that do not fit, C{EXPOSED_CONFIG} for a file whose secrets tasks could read.
    """

    def __init__(self, faults: Sequence[Fault], exit_status: ProcessStatus = ProcessStatus.INVALID_CONFIG) -> None:
        super().__init__(*faults)
        self.faults = tuple(faults)
        self.exit_status = exit_status

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class HostUnavailable(Exception):
    """The host's own services (metadata, worker-manager) do not answer for now; asking again may help."""


class StateDirectoryTaken(Exception):
    """Another worker uses this state directory; the message says which process."""


class StateUnusable(Exception):
    """The state directory cannot be used; the message says why and what to do."""


class TaskclusterError(Exception):
    """A call of Taskcluster did not succeed.

    @ivar method: the name of the call, for example C{reportCompleted}.
    """

    def __init__(self, method: str, message: str) -> None:
        super().__init__(method, message)
        self.method = method
        self.message = message

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed later."""
        return True

    def __str__(self) -> str:
        return f"{self.method}: {self.message}"


class Unreachable(TaskclusterError):
    """No answer after all attempts: connection refused or lost, time out, or an answer that is not HTTP."""


class CallFailed(TaskclusterError):
    """Taskcluster answered with an error.

    @ivar status: the HTTP status.
    @ivar code: the error's own code, for example C{RequestConflict}; empty where the answer had none.
    """

    def __init__(self, method: str, status: int, code: str, message: str) -> None:
        super().__init__(method, message)
        self.status = status
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed later: a server's own failure may pass, a refusal does not."""
        return self.status >= 500

    @property
    def denies_access(self) -> bool:
        """Whether Taskcluster says that the caller may not: without a code, something on the way to it says so."""
        return self.status in (401, 403) and bool(self.code)

    def __str__(self) -> str:
        return f"{self.method}: {self.status} {self.code}: {self.message}"
