"""The files and folders that a task leaves behind, published: C{artifacts} (contracts of generic-worker, 1 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import MalformedPayload, TaskError
from tcworker.feature.artifacts.entry import EntryPublisher, Shared
from tcworker.feature.artifacts.judging import judge
from tcworker.feature.artifacts.names import Names
from tcworker.feature.artifacts.telling import Faults, Lines
from tcworker.feature.artifacts.wanted import ENTRY_SCHEMA, Wanted
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IFeature, IResult, ITaskContext, ITaskFeature
from tcworker.task.outcome import as_task_error, join

_AT_ONCE = 10
"""Files of a run in hand at a time; how many of them are uploaded, the worker as a whole decides."""


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
        pass

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        wanted = [Wanted.from_json(entry, context.expires) for entry in context.payload.get("artifacts", [])]
        if found := judge(wanted, context):
            raise MalformedPayload(*found)
        return _Artifacts(context, wanted) if wanted else None


class _Artifacts(TaskFeature):
    """The artifacts of one run."""

    def __init__(self, context: ITaskContext, wanted: Sequence[Wanted]) -> None:
        self._context = context
        self._wanted = sorted(wanted, key=lambda entry: entry.name)

    def upload(self, result: IResult) -> Deferred[None]:
        return Deferred.fromCoroutine(self._upload(result))

    async def _upload(self, result: IResult) -> None:
        log = self._context.log
        shared = Shared(
            self._context, Names(self._wanted), DeferredSemaphore(_AT_ONCE), lines=Lines(log), faults=Faults(log)
        )
        running: list[Deferred[Any]] = [
            Deferred.fromCoroutine(EntryPublisher(shared, wanted).publish(result)) for wanted in self._wanted
        ]
        outcomes = await DeferredList(running, consumeErrors=True)
        errors = [self._error(value) for _, value in outcomes if isinstance(value, Failure)]
        if error := join([*errors, *shared.faults.close()]):
            raise error

    def _error(self, failure: Failure) -> TaskError:
        if failure.check(CancelledError):
            failure.raiseException()
        return as_task_error(failure, self._context.name, "publishing artifacts")
