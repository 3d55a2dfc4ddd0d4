"""A publisher before a queue and a storage in memory, for tests of what is published, and how."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.http import HTTP
from tcworker.errors import NotReadable
from tcworker.filebody import MemoryFile
from tcworker.interfaces import Artifact, FileArtifact, IArchivedFile
from tcworker.task.claim import read_date
from tcworker.task.haste import Haste
from tcworker.task.patience import Patience
from tcworker.task.publish import Publisher
from tcworker.task.s3_upload import S3Upload
from tcworker.task.speed import Speed
from tcworker.task.upload import Run, Upload
from tcworker.testing.facilities import NoThreads
from tcworker.testing.queue import Call, FakeQueue
from tcworker.waiting import Executor
from tests.task.storage import Storage

EXPIRES = "2031-01-31T12:00:00.000Z"
WHEN = read_date(EXPIRES)
SIGNED = "https://bucket.example.com/key?X-Amz-Signature=topsecret"


def file(content: bytes = b"hello", path: str = "some/file") -> IArchivedFile:
    return MemoryFile(path, content)


def artifact(name: str, content: bytes = b"hello", **more: Any) -> FileArtifact:
    """A file that is published under its own path."""
    return FileArtifact(name, WHEN, file(content, name), **more)


def raise_not_readable() -> NoReturn:
    raise NotReadable("not yours")


class PublishingTest(SynchronousTestCase):
    """A publisher before a queue and a storage in memory."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.clock = Clock()
        self.seconds_left = 3600.0
        self.queue = FakeQueue()
        self.storage = Storage()
        self.slots = DeferredSemaphore(3)
        self.publisher = self.new_publisher()
        self.addresses = 0
        self.queue.always("create_artifact", self.address)

    def new_publisher(self, threads: Executor = NoThreads()) -> Publisher:  # noqa: B008  # it has no state
        run = self.new_run()
        return Publisher(run, self.upload(run), self.folder, threads, self.slots, DeferredSemaphore(2))

    def new_run(self) -> Run:
        self.haste = Haste(self.clock.seconds, Speed(self.clock.seconds), self.time_left)
        return Run("task", 0, self.queue, Patience(self.clock, self.time_left), self.haste)

    def time_left(self) -> float:
        return self.seconds_left - self.clock.seconds()

    def upload(self, run: Run) -> Upload:
        return S3Upload(cast(HTTP, self.storage), run)

    def address(self, call: Call) -> Mapping[str, Any]:
        if call.body["storageType"] != "s3":
            return {"storageType": call.body["storageType"]}
        self.addresses += 1
        url = f"{SIGNED}&n={self.addresses}"
        return {"storageType": "s3", "putUrl": url, "contentType": call.body["contentType"], "expires": EXPIRES}

    def publish(self, artifact: Artifact) -> Deferred[None]:
        return Deferred.fromCoroutine(self.publisher.publish(artifact))

    def published(self, artifact: Artifact) -> None:
        self.successResultOf(self.publish(artifact))

    def refused(self, artifact: Artifact, *kinds: type[Exception]) -> str:
        error = str(self.failureResultOf(self.publish(artifact), *kinds).value)
        self.assertNotIn("topsecret", error)
        return error

    def declared(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(call.args[2], call.body) for call in self.queue.made("create_artifact")]
