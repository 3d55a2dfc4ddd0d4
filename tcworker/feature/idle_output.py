"""How long a task may print nothing: C{idleOutputTimeoutSecs}, in seconds; a setting, and over it the payload's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import Cause, TaskFailed
from tcworker.feature.base import WhileItRuns
from tcworker.interfaces import IExecution, IFeature, ITaskContext, ITaskFeature

_PROPERTY = {
    "type": "integer",
    "minimum": 1,
    "description": "The task fails when it prints nothing for so many seconds. Without it the worker's setting of the "
    "same name holds, which by default is: never.",
}


@implementer(IFeature)
class IdleOutputFeature:
    """Ends a task that prints nothing for too long: it hangs, and would until its C{maxRunTime}.

    @param config: C{idle_output_timeout_secs} is used.
    """

    name = "idle-output"
    schema: Mapping[str, Any] = {"properties": {"idleOutputTimeoutSecs": _PROPERTY}, "required": []}
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._usual = config.idle_output_timeout_secs

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        seconds = int(context.payload.get("idleOutputTimeoutSecs", self._usual))
        return _IdleOutput(context, seconds) if seconds else None


class _IdleOutput(WhileItRuns):
    """One run's silence, from the start of its sandbox to its end."""

    def __init__(self, context: ITaskContext, seconds: int) -> None:
        self._context = context
        self._seconds = seconds
        self._began = 0.0
        self._timer: IDelayedCall | None = None

    def started(self, execution: IExecution) -> Deferred[None]:
        self._began = self._context.clock.seconds()
        self._look()
        return succeed(None)

    def over(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        self._timer = None
        # Loading may have taken long: only what is silent while it runs is idle.
        due = max(self._began, self._context.log.last_printed()) + self._seconds
        left = due - self._context.clock.seconds()
        if left > 0:
            self._timer = self._context.clock.callLater(left, self._look)
        else:
            why = f"task aborted - it printed nothing for {self._seconds} seconds"
            self._context.fail(TaskFailed(why, cause=Cause.IDLE_OUTPUT, evidence={"seconds": self._seconds}))
