"""Why runs end without being completed: a fixed list, and whose doing each is."""

from __future__ import annotations

from enum import StrEnum


class Whose(StrEnum):
    """Who can do something about it."""

    TASK = "task"
    """Whoever wrote, started or cancelled the task: another worker would have met the same."""

    WORKER = "worker"
    """Whoever runs the worker, or what it stands on: the task may be as it should."""


class Cause(StrEnum):
    """Why a run ended; docs/verdict.md says more of each."""

    EXIT_STATUS = "exit-status"
    SIGNAL = "signal"
    NOT_STARTED = "not-started"
    OUT_OF_MEMORY = "out-of-memory"
    MAX_RUN_TIME = "max-run-time"
    IDLE_OUTPUT = "idle-output"
    MALFORMED_PAYLOAD = "malformed-payload"
    ARTIFACT_MISSING = "artifact-missing"
    CANCELED = "canceled"
    DEADLINE_EXCEEDED = "deadline-exceeded"
    TASK_FAULT = "task-fault"
    """Anything else that is the task's own doing."""

    NO_DISK = "no-disk"
    CACHE = "cache"
    UPLOAD_REFUSED = "upload-refused"
    TASKCLUSTER_AWAY = "taskcluster-away"
    OUT_OF_TIME = "out-of-time"
    RESOURCE_UNAVAILABLE = "resource-unavailable"
    """Anything else that was not to be had."""

    CLAIM_LOST = "claim-lost"
    WORKER_SHUTDOWN = "worker-shutdown"
    WORKER_DIED = "worker-died"
    WORKER_FAULT = "worker-fault"
    """Anything else that is the worker's own doing."""

    @property
    def whose(self) -> Whose:
        """Whose doing it is."""
        return Whose.TASK if self in _OF_TASK else Whose.WORKER


_OF_TASK = frozenset(
    {
        Cause.EXIT_STATUS,
        Cause.SIGNAL,
        Cause.NOT_STARTED,
        Cause.OUT_OF_MEMORY,
        Cause.MAX_RUN_TIME,
        Cause.IDLE_OUTPUT,
        Cause.MALFORMED_PAYLOAD,
        Cause.ARTIFACT_MISSING,
        Cause.CANCELED,
        Cause.DEADLINE_EXCEEDED,
        Cause.TASK_FAULT,
    }
)
