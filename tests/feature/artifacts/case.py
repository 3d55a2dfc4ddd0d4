"""A task that left some files, and what publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import TaskError, TaskFailed
from tcworker.feature.artifacts.feature import ArtifactsFeature
from tcworker.interfaces import Artifact, ErrorArtifact
from tcworker.task.payload import PayloadSchema
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.files import File, Files
from tcworker.testing.sandbox import FakeResult
from tests.feature.harness import CONFIG


class Context(FakeTaskContext):
    """A context whose C{publish} may fail or wait.

    @ivar trouble: errors by the artifact's name.
    @ivar hangs: whether files wait for ever, and in C{waiting} how many do.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.trouble: dict[str, TaskError] = {}
        self.hangs = False
        self.waiting: list[Deferred[None]] = []

    def publish(self, artifact: Artifact) -> Deferred[None]:
        return Deferred.fromCoroutine(self.try_to_publish(artifact))

    async def try_to_publish(self, artifact: Artifact) -> None:
        if artifact.name in self.trouble:
            raise self.trouble[artifact.name]
        if self.hangs:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        await super().publish(artifact)


class ArtifactsTest(SynchronousTestCase):
    """A task that left some files."""

    def setUp(self) -> None:
        self.context = Context(Clock())
        self.addCleanup(self.context.close)
        self.files = Files()
        self.result = FakeResult(files=self.files)

    def make(self, *paths: str) -> None:
        for path in paths:
            self.files.make(path, File(path.encode(errors="surrogateescape")))

    def wants(self, *entries: Mapping[str, Any]) -> None:
        self.context.payload = {"artifacts": list(entries)}
        PayloadSchema({"artifacts": ArtifactsFeature.schema}).check(self.context.payload)

    def upload(self) -> Deferred[None]:
        feature = ArtifactsFeature(Clock(), CONFIG).for_task(self.context)
        assert feature is not None
        return feature.upload(self.result)

    def give_up(self, uploading: Deferred[None]) -> None:
        """Cancel what is going on."""
        uploading.cancel()
        self.failureResultOf(uploading, CancelledError)

    def uploaded(self) -> None:
        self.successResultOf(self.upload())

    def failed(self, kind: type[TaskError] = TaskFailed) -> str:
        return str(self.failureResultOf(self.upload(), kind).value)

    @property
    def log(self) -> str:
        return self.context.log.text

    def reasons(self) -> dict[str, str]:
        return {a.name: a.reason for a in self.context.published if isinstance(a, ErrorArtifact)}
