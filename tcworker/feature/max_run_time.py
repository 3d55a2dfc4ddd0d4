"""How long a task may run: C{maxRunTime}, in seconds (contracts of generic-worker, 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import Cause, MalformedPayload, TaskFailed
from tcworker.feature.base import WhileItRuns
from tcworker.interfaces import IExecution, IFeature, ITaskContext, ITaskFeature


@implementer(IFeature)
class MaxRunTimeFeature:
    """Ends a task that runs longer than it said it would, and refuses one that wants to run longer than allowed."""

    name = "max-run-time"
    schema: Mapping[str, Any] = {
        "properties": {
            "maxRunTime": {
                "type": "integer",
                "minimum": 1,
                "description": "Seconds for all commands together. Each pool has an upper limit, maxTaskRunTime.",
            }
        },
        "required": ["maxRunTime"],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._most = config.max_task_run_time

    def for_task(self, context: ITaskContext) -> ITaskFeature:
        """See L{IFeature.for_task}."""
        seconds = int(context.payload["maxRunTime"])
        if seconds > self._most:
            raise MalformedPayload(
                f"payload.maxRunTime: task's maxRunTime of {seconds} exceeded allowed maximum of {self._most}"
            )
        return _MaxRunTime(context, seconds)


class _MaxRunTime(WhileItRuns):
    """The time of one run, from the start of its sandbox to its end: neither mounts nor uploads count."""

    def __init__(self, context: ITaskContext, seconds: int) -> None:
        self._context = context
        self._seconds = seconds
        self._timer: IDelayedCall | None = None

    def started(self, execution: IExecution) -> Deferred[None]:
        self._timer = self._context.clock.callLater(self._seconds, self._passed)
        return succeed(None)

    def over(self) -> None:
        timer, self._timer = self._timer, None
        # One that has run is what ended the task.
        if timer is not None and timer.active():
            timer.cancel()

    def _passed(self) -> None:
        # "failed" and no exception, as with the reference worker: it would take as long the next time.
        why = f"task aborted - max run time exceeded ({self._seconds} seconds)"
        self._context.fail(TaskFailed(why, cause=Cause.MAX_RUN_TIME, evidence={"seconds": self._seconds}))
