"""Measures what tasks use of the machine: C{features.resourceMonitor} (contracts of generic-worker, 1 and 7)."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import Cause, NamingConflict, TaskFailed
from tcworker.feature.base import WhileItRuns
from tcworker.feature.resource_monitor.guard import MemoryGuard, MemoryThreshold
from tcworker.feature.resource_monitor.meter import RunMeter
from tcworker.feature.resource_monitor.report import document, table
from tcworker.filebody import MemoryFile
from tcworker.interfaces import (
    FileArtifact,
    IExecution,
    IFeature,
    IResult,
    ITaskContext,
    ITaskFeature,
    Publish,
    Unsubscribe,
)
from tcworker.task.feature_flag import FeatureFlag, flags_schema
from tcworker.task.log_names import LogNames
from tcworker.task.outcome import as_task_error
from tcworker.watch.memory import Memory, read_memory
from tcworker.worker_log import RunLogger

WORTH_A_RECORD = 10.0
"""Seconds that a run must last for its series to be published."""

_PUBLIC = "public/"

_WANTED = FeatureFlag(
    "resourceMonitor",
    True,
    "Whether what the task uses is told in its log, and its course published. A pool may do without.",
)


@implementer(IFeature)
class ResourceMonitorFeature:
    """Says in the log of each task what it used, publishes the course of it, and guards the machine's memory.

    @param read_memory: of the machine.
    """

    name = "resource-monitor"
    schema: Mapping[str, Any] = {"properties": flags_schema(_WANTED), "required": []}
    after = ()

    def __init__(
        self, reactor: IReactorTime, config: Config, read_memory: Callable[[], Memory | None] = read_memory
    ) -> None:
        self._enabled = config.enable_resource_monitor
        threshold = MemoryThreshold(
            config.max_memory_usage_percent,
            config.min_available_memory_bytes,
            config.allowed_high_memory_duration_secs,
            config.disable_oom_protection,
        )
        self._guard = MemoryGuard(reactor, threshold, read_memory)

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        if not self._enabled:
            return None
        if _WANTED.is_set(context.payload):
            name = artifact_name(LogNames.from_payload(context.payload))
            return _Recorded(context, self._guard, name, _reserve(context, name))
        return _Guarded(context, self._guard)


def artifact_name(logs: LogNames) -> str:
    """Where the record is published: to be seen by those who may see the log."""
    public = logs.backing.startswith(_PUBLIC)
    folder = "public/monitoring" if public else posixpath.dirname(logs.backing)
    return posixpath.join(folder, "resource-usage.json")


def _reserve(context: ITaskContext, name: str) -> Publish:
    try:
        return context.reserve(name)
    # A log of the task may have the name: that is no reason not to run it, and will be told in place of a record.
    except NamingConflict as conflict:
        taken = conflict
        return lambda artifact: fail(taken)


class _Guarded(WhileItRuns):
    """A run that wants no record: it is measured only when the machine's memory is short.

    Nobody gets out of the guard's sight by that, at the cost of others.
    """

    def __init__(self, context: ITaskContext, guard: MemoryGuard) -> None:
        self._context = context
        self._guard = guard
        self._logger = RunLogger(context.name)
        self._execution: IExecution | None = None
        self._meter = RunMeter(context.clock, self._logger)
        self._forget: Unsubscribe = lambda: None

    @property
    def memory(self) -> int | None:
        """See L{GuardedRun}."""
        return self._meter.memory

    def measure(self) -> None:
        """See L{GuardedRun.measure}."""
        self._meter.measure()

    def end(self, why: str) -> None:
        """See L{GuardedRun.end}."""
        self._context.fail(TaskFailed(why, cause=Cause.OUT_OF_MEMORY))
        # At once: for as long as it has time to end by itself, it can take even more.
        if self._execution is not None:
            self._execution.kill(why, 0)

    def warn(self, why: str) -> None:
        """See L{GuardedRun.warn}; the operator wants to know too."""
        self._logger.warn("{why}", why=why)
        self._context.log.warn(why)

    def started(self, execution: IExecution) -> Deferred[None]:
        self._execution = execution
        self._meter.begin(execution)
        self._forget = self._guard.watch(self)
        return succeed(None)

    def over(self) -> None:
        self._forget()
        self._meter.stop()


class _Recorded(_Guarded):
    """A run whose resource use is recorded.

    @param name: of the artifact.
    @param publish: publishes under this name.
    """

    def __init__(self, context: ITaskContext, guard: MemoryGuard, name: str, publish: Publish) -> None:
        super().__init__(context, guard)
        self._name = name
        self._publish = publish
        self._began = self._seconds = 0.0

    def started(self, execution: IExecution) -> Deferred[None]:
        started = super().started(execution)
        self._began = self._context.clock.seconds()
        self._meter.go_on()
        return started

    def stopped(self, result: IResult) -> Deferred[None]:
        self._seconds = self._context.clock.seconds() - self._began
        if self._measured:
            self._context.log.info(table(self._meter.series.totals, result))
        return super().stopped(result)

    def upload(self, result: IResult) -> Deferred[None]:
        if not self._measured or self._seconds < WORTH_A_RECORD:
            return succeed(None)
        return Deferred.fromCoroutine(self._upload(result))

    @property
    def _measured(self) -> bool:
        return bool(self._meter.series.samples)

    async def _upload(self, result: IResult) -> None:
        try:
            file = MemoryFile(self._name, document(self._meter.series, result, self._seconds))
            await self._publish(FileArtifact(self._name, self._context.expires, file, "application/json"))
        except CancelledError:
            raise
        # A task is not worth less without it.
        except Exception:
            error = as_task_error(Failure(), self._context.name, "publishing the record of resource use")
            self._context.log.warn(f"the record of its resource use was not published: {error}")
