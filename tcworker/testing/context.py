"""A run as platforms and features see it, without a queue and without a worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.client.scopes import missing, satisfies
from tcworker.errors import MalformedPayload, NamingConflict, TaskError
from tcworker.interfaces import (
    Artifact,
    Credentials,
    FileArtifact,
    GzippedArtifact,
    IArchivedFile,
    IPlatform,
    Publish,
    ScopeExpression,
    Unsubscribe,
)
from tcworker.task.claim import write_date
from tcworker.task.context import IRunContext
from tcworker.task.haste import Haste
from tcworker.task.reserved_names import ReservedNames
from tcworker.task.secret_forms import forms_of_credentials
from tcworker.task.speed import Speed
from tcworker.testing.caches import FakeCaches, FakeCacheWorker
from tcworker.testing.contents import FakeContents
from tcworker.testing.memory import MemoryLog
from tcworker.testing.queue import FakeQueue
from tcworker.waiting import now

TASK_ID = "dSlITZ4yQgmvxxAi4A8fHQ"


@implementer(IRunContext)
class FakeTaskContext:
    """A context whose surroundings are all in memory.

    @ivar log: what the task and the worker printed, C{log.text}.
    @ivar published: every artifact, in the order in which they were published.
    @ivar stored: the bytes of published files by the artifact's name.
    @ivar republished: those whose place the next of the same name took or may take, in order; the last one's content
        is in C{stored}.
    @ivar caches: those that the run may have, in memory.
    @ivar contents: what its payload can have fetched: as much as is put into its C{there}.
    @ivar on_their_way: what L{unfinished} gives.
    @ivar errors: what L{fail} was called with.
    @ivar seconds_left: how long the claim lasts.
    @ivar haste: how much time uploads have; its C{begin} says that the worker must go.
    @param task: replaces parts of the task's definition.
    @param folder: a folder of the test's own; without one, a temporary folder that C{close} removes.
    """

    def __init__(
        self,
        clock: IReactorTime,
        payload: Mapping[str, Any] | None = None,
        *,
        task: Mapping[str, Any] | None = None,
        task_id: str = TASK_ID,
        run_id: int = 0,
        root_url: str = "https://tc.example.com",
        folder: str | None = None,
    ) -> None:
        self.clock = clock
        self.task_id, self.run_id, self.name = task_id, run_id, f"{task_id}/{run_id}"
        self.root_url = root_url
        self.deadline, self.expires = now(clock) + timedelta(hours=1), now(clock) + timedelta(days=1)
        self.payload: Mapping[str, Any] = payload or {}
        self.task: Mapping[str, Any] = {**self._definition(), **(task or {})}
        self.credentials = Credentials(f"task-client/{task_id}/{run_id}", "secret")
        self.queue = FakeQueue(lambda: self.credentials)
        self.log = MemoryLog(clock)
        self.contents = FakeContents()
        self.caches = FakeCaches(FakeCacheWorker(clock))
        self.published: list[Artifact] = []
        self.republished: list[GzippedArtifact] = []
        self.stored: dict[str, bytes] = {}
        self.on_their_way: dict[str, str] = {}
        self.errors: list[TaskError] = []
        self.seconds_left = 3600.0
        self.haste = Haste(clock.seconds, Speed(clock.seconds), lambda: self.seconds_left)
        self._folder = folder
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None
        self._told: list[Callable[[Credentials], None]] = []
        self._reserved = ReservedNames()

    @property
    def folder(self) -> str:
        """See L{ITaskContext}; made when somebody first asks."""
        if self._folder is None:
            self._own_folder = tempfile.TemporaryDirectory(prefix="tcworker-run-")
            self._folder = self._own_folder.name
        return self._folder

    def run_on(self, platform: IPlatform) -> None:
        """See L{IRunContext.run_on}; the caches are the same on each."""

    def mask(self, secret: str) -> None:
        """See L{ITaskContext.mask}."""
        self.log.mask(secret)

    def require_scopes(self, *alternatives: ScopeExpression) -> Deferred[None]:
        """See L{ITaskContext.require_scopes}; the task's own C{scopes}, taken as they are."""
        return Deferred.fromCoroutine(self._require_scopes(alternatives))

    def on_credentials(self, call: Callable[[Credentials], None]) -> Unsubscribe:
        """See L{ITaskContext.on_credentials}."""
        self._told.append(call)
        return lambda: self._told.remove(call) if call in self._told else None

    def replace_credentials(self, credentials: Credentials) -> None:
        """Tell all that asked, as a reclaim does."""
        self.credentials = credentials
        self.log.mask_exactly(forms_of_credentials(credentials))
        for call in list(self._told):
            call(credentials)

    def publish(self, artifact: Artifact) -> Deferred[None]:
        """See L{ITaskContext.publish}; files are read to their end and closed."""
        try:
            self._reserved.check(artifact)
        except NamingConflict as conflict:
            return fail(conflict)
        return Deferred.fromCoroutine(self._publish(artifact))

    def reserve(self, name: str) -> Publish:
        """See L{ITaskContext.reserve}."""
        self._reserved.add(name)
        return lambda artifact: Deferred.fromCoroutine(self._publish(artifact))

    def is_reserved(self, name: str) -> bool:
        """See L{ITaskContext.is_reserved}."""
        return name in self._reserved

    def is_held(self, name: str) -> bool:
        """See L{IRunContext.is_held}."""
        return self._reserved.is_held(name)

    def unfinished(self) -> Mapping[str, str]:
        """See L{IRunContext.unfinished}."""
        return self.on_their_way

    def republish(self, artifact: GzippedArtifact) -> Deferred[None]:
        """See L{IRunContext.republish}."""
        return Deferred.fromCoroutine(self._republish(artifact))

    def time_left(self) -> float:
        """See L{ITaskContext.time_left}."""
        return self.haste.files_left()

    def in_haste(self) -> bool:
        """See L{ITaskContext.in_haste}."""
        return self.haste.begun

    def on_haste(self, call: Callable[[], None]) -> Unsubscribe:
        """See L{ITaskContext.on_haste}."""
        return self.haste.on_begin(call)

    def seconds_to_publish(self, size: int) -> float:
        """See L{ITaskContext.seconds_to_publish}; without an upload that would tell, as fast as is assumed."""
        return self.haste.speed.seconds_for(size)

    def fail(self, error: TaskError) -> None:
        """See L{ITaskContext.fail}."""
        self.errors.append(error)

    def close(self) -> None:
        """Remove the context's own temporary folder."""
        if self._own_folder is not None:
            self._own_folder.cleanup()

    async def _require_scopes(self, alternatives: Sequence[ScopeExpression]) -> None:
        scopes = self.task["scopes"]
        if not any(satisfies(scopes, alternative) for alternative in alternatives):
            lacking = [", ".join(missing(scopes, alternative)) for alternative in alternatives]
            raise MalformedPayload("the task lacks the scopes " + ", or ".join(lacking))

    async def _publish(self, artifact: Artifact) -> None:
        if isinstance(artifact, FileArtifact):
            self.haste.check(artifact.file.size)
        if isinstance(artifact, FileArtifact | GzippedArtifact):
            self.stored[artifact.name] = await read_archived(artifact.file)
            artifact.file.close()
        self.published.append(artifact)

    async def _republish(self, artifact: GzippedArtifact) -> None:
        self.stored[artifact.name] = await read_archived(artifact.file)
        self.republished.append(artifact)

    def _definition(self) -> dict[str, Any]:
        return {
            "provisionerId": "test",
            "workerType": "test",
            "taskQueueId": "test/test",
            "taskGroupId": self.task_id,
            "created": write_date(now(self.clock)),
            "deadline": write_date(self.deadline),
            "expires": write_date(self.expires),
            "scopes": [],
            "payload": self.payload,
            "metadata": {"name": "a task", "description": "", "owner": "somebody@example.com", "source": self.root_url},
        }


async def read_archived(file: IArchivedFile) -> bytes:
    """Read an archived file as an upload would. Raises L{tcworker.errors.ArchiveError} as its producer does."""
    return await read_body(file.open())


async def read_body(producer: IBodyProducer) -> bytes:
    """Read all that a body producer gives."""
    consumer = _Consumer()
    await producer.startProducing(consumer)
    return bytes(consumer.data)


class _Consumer:
    """What a body producer is given in an upload: something that has C{write}, and nothing else."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data
