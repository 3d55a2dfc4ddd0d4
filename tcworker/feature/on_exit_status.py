"""What an exit status means beside success and failure: C{onExitStatus} (contracts of generic-worker, 1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import IntermittentTask
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IFeature, IResult, ITaskContext, ITaskFeature


def _statuses(least: int, description: str) -> Mapping[str, Any]:
    item = {"type": "integer", "minimum": least}
    return {"type": "array", "items": item, "uniqueItems": True, "default": [], "description": description}


@implementer(IFeature)
class OnExitStatusFeature:
    """Has the queue run a task again that ends with a status for which it asked that.

    C{purgeCaches} is for who takes back the task's caches, L{tcworker.feature.mounts}.
    """

    name = "on-exit-status"
    schema: Mapping[str, Any] = {
        "properties": {
            "onExitStatus": {
                "type": "object",
                "properties": {
                    "retry": _statuses(1, "If a command exits with one of these, the queue runs the task again."),
                    "purgeCaches": _statuses(
                        0, "If the last command that ran exits with one of these, the task's caches are not kept."
                    ),
                },
                "additionalProperties": False,
                "default": {},
                "description": "What follows from the exit statuses of commands.",
            }
        },
        "required": [],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        pass

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        retry = context.payload.get("onExitStatus", {}).get("retry", [])
        return _Retry(retry) if retry else None


class _Retry(TaskFeature):
    def __init__(self, statuses: Collection[int]) -> None:
        self._statuses = statuses

    def stopped(self, result: IResult) -> Deferred[None]:
        # A command that the worker ended did not choose its status.
        if result.killed is not None:
            return succeed(None)
        for number, command in enumerate(result.commands):
            if (status := command.exit.status) in self._statuses:
                why = "payload.onExitStatus.retry asks for another run then"
                return fail(IntermittentTask(f"command {number} exited with status {status}: {why}"))
        return succeed(None)
