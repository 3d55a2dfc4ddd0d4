"""A feature of somebody else's: the log says how busy the machine was when a task began and ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IExecution, IFeature, IResult, ITaskContext, ITaskFeature


@implementer(IFeature)
class LoadFeature:
    """One for the worker: it says what the payload may hold for it (nothing), and makes one object for each run."""

    name = "machine-load"
    schema: Mapping[str, Any] = {"properties": {}, "required": []}
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._measure: Callable[[], tuple[float, float, float]] = os.getloadavg

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}. A feature that a task must ask for would look into C{context.payload}."""
        return _LoadOfRun(context, self._measure)


class _LoadOfRun(TaskFeature):
    """One for each run. The other hooks do nothing, which L{TaskFeature} sees to."""

    def __init__(self, context: ITaskContext, measure: Callable[[], tuple[float, float, float]]) -> None:
        self._context, self._measure = context, measure

    def started(self, execution: IExecution) -> Deferred[None]:
        """See L{ITaskFeature.started}."""
        return execute(self._say, "started")

    def stopped(self, result: IResult) -> Deferred[None]:
        """See L{ITaskFeature.stopped}."""
        return execute(self._say, "stopped")

    def _say(self, what: str) -> None:
        one, five, _ = self._measure()
        self._context.log.info(f"{what} with a load of {one:.1f}, {five:.1f} in the last five minutes")
