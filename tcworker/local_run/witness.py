"""Sees how sandboxes ended, which the queue is never told in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IFeature, IResult, ITaskContext, ITaskFeature


@implementer(IFeature)
class WitnessFeature:
    """Tells of each run's result.

    @param call: given the task id and the result.
    """

    name = "witness"
    schema: Mapping[str, Any] = {"properties": {}, "required": []}
    after = ()

    def __init__(self, call: Callable[[str, IResult], None]) -> None:
        self._call = call

    def for_task(self, context: ITaskContext) -> ITaskFeature:
        """See L{IFeature.for_task}."""
        return _Witness(lambda result: self._call(context.task_id, result))


class _Witness(TaskFeature):
    def __init__(self, call: Callable[[IResult], None]) -> None:
        self._call = call

    def stopped(self, result: IResult) -> Deferred[None]:
        self._call(result)
        return succeed(None)
