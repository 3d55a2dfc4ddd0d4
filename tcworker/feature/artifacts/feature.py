"""The files and folders that a task leaves behind, published: C{artifacts} (contracts of generic-worker, 1 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload, TaskError
from tcworker.feature.artifacts.entry import EntryPublisher, Shared
from tcworker.feature.artifacts.hands import Hands
from tcworker.feature.artifacts.judging import judge
from tcworker.feature.artifacts.late import publish_late
from tcworker.feature.artifacts.names import Names
from tcworker.feature.artifacts.telling import Faults, Lines
from tcworker.feature.artifacts.wanted import ENTRY_SCHEMA, Wanted
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IFeature, IResult, ITaskContext, ITaskFeature
from tcworker.task.outcome import as_task_error, join

_AT_ONCE = 10
"""Files of a run in hand at a time; how many of them are uploaded, the worker as a whole decides."""

_LATE_AT_ONCE = 40
"""The same of all runs of a worker that must go; nobody but they themselves holds them back then."""


def late_at_once(capacity: int) -> int:
    """How many of these one run of so many has."""
    return max(2, min(_AT_ONCE, _LATE_AT_ONCE // capacity))


@implementer(IFeature)
class ArtifactsFeature:
    """Publishes what the payload lists, after the task, whether it succeeded or not."""

    name = "artifacts"
    schema: Mapping[str, Any] = {
        # Whether an entry is there twice is seen by its name: "uniqueItems" compares each with each.
        "properties": {
            "artifacts": {
                "type": "array",
                "items": ENTRY_SCHEMA,
                "default": [],
                "description": "Files and directories to publish when the commands have ended, well or not.",
            }
        },
        "required": [],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        self._late_at_once = late_at_once(config.capacity)

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        wanted = [Wanted.from_json(entry, context.expires) for entry in context.payload.get("artifacts", [])]
        if found := judge(wanted, context):
            raise MalformedPayload(*found)
        return _Artifacts(context, wanted, self._late_at_once) if wanted else None


class _Artifacts(TaskFeature):
    """The artifacts of one run."""

    def __init__(self, context: ITaskContext, wanted: Sequence[Wanted], late_at_once: int) -> None:
        self._context = context
        self._late_at_once = late_at_once
        self._wanted = sorted(wanted, key=lambda entry: entry.name)

    def upload(self, result: IResult) -> Deferred[None]:
        return Deferred.fromCoroutine(self._upload(result))

    async def _upload(self, result: IResult) -> None:
        context = self._context
        hands, faults = Hands(_AT_ONCE), Faults(context.log)
        shared = Shared(context, Names(self._wanted), hands, lines=Lines(context.log), faults=faults)
        unsubscribe = context.on_haste(hands.close)
        if context.in_haste():
            hands.close()
        try:
            errors = await self._publish(shared, result)
        finally:
            unsubscribe()
            await hands.stop()
        if error := join([*errors, *faults.close()]):
            raise error

    async def _publish(self, shared: Shared, result: IResult) -> Sequence[TaskError]:
        """Publish what is found as it is found; what the worker has no time for then, small files first."""
        entries = [EntryPublisher(shared, wanted) for wanted in self._wanted]
        finding = [Deferred.fromCoroutine(entry.find(result)) for entry in entries]
        outcomes = await DeferredList(finding, consumeErrors=True)
        failures: list[Any] = [value for fine, value in outcomes if not fine]
        unfound = [self._error(failure) for failure in failures]
        late = await publish_late(shared, result, Hands(self._late_at_once))
        await shared.hands.idle()
        for entry in entries:
            entry.close()
        return [*unfound, *(self._error(failure) for failure in [*late, *shared.hands.failures])]

    def _error(self, failure: Failure) -> TaskError:
        if failure.check(CancelledError):
            failure.raiseException()
        return as_task_error(failure, self._context.name, "publishing artifacts")
