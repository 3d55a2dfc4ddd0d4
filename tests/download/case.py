"""Contents that are fetched from servers on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.client.services import Index, Object, Queue
from tcworker.download import passing
from tcworker.download.contents import Contents
from tcworker.download.downloads import Downloads
from tcworker.download.servers import Servers
from tcworker.download.sources import Services
from tcworker.errors import CallFailed, TaskError
from tcworker.interfaces import Credentials, Fetched, IContent
from tcworker.networks import DENIED_BY_DEFAULT, Networks
from tcworker.retry import Backoff
from tcworker.testing.contents import MemorySink
from tcworker.waiting import Threads
from tests.integration.bad_server import BadServer

reactor: Any = real_reactor

DATA = bytes(range(256)) * 4096

SHA256 = hashlib.sha256(DATA).hexdigest()

TASK = "dSlITZ4yQgmvxxAi4A8fHQ"


class Taskcluster:
    """The queue, the index and the object service, as far as contents need them.

    @ivar artifacts: what the queue answers for C{task/name}, or fails with; those of one name one after the other.
    @ivar tasks: their ids by where they are in the index.
    @ivar objects: what startDownload answers, by the object's name.
    @ivar asked: all calls.
    """

    def __init__(self) -> None:
        self.artifacts: dict[str, list[Mapping[str, Any] | Exception]] = {}
        self.tasks: dict[str, str] = {}
        self.objects: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.given: Credentials | None = None

    def of(self, credentials: Credentials) -> Object:
        self.given = credentials
        return cast(Object, self)

    def latest_artifact(self, task_id: str, name: str) -> Deferred[Any]:
        answers = self.artifacts.get(f"{task_id}/{name}", [self._missing("latestArtifact")])
        self.asked.append(f"{task_id}/{name}")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def find_task(self, namespace: str) -> Deferred[Any]:
        self.asked.append(namespace)
        if namespace not in self.tasks:
            return fail(self._missing("findTask"))
        return succeed({"taskId": self.tasks[namespace]})

    def start_download(self, name: str, body: Mapping[str, Any]) -> Deferred[Any]:
        assert body == {"acceptDownloadMethods": {"getUrl": True}}
        return succeed({"method": "getUrl", **self.objects[name]})

    def _missing(self, method: str) -> CallFailed:
        return CallFailed(method, 404, "ResourceNotFound", "there is none")


class ContentsCase(TestCase):
    """Contents as a run has them; failures are given up after little more than a moment."""

    timeout = 60
    seconds = 20.0
    denied: tuple[str, ...] = DENIED_BY_DEFAULT

    def setUp(self) -> None:
        self.patch(passing, "BACKOFF", Backoff(0.01, 0.05))
        self.patch(passing, "LAST_TRY", 0.1)
        self.server = BadServer.started(self)
        self.taskcluster: Any = Taskcluster()
        own, guarded = HTTP(reactor), HTTP(reactor, denied=Networks(self.denied))
        threads = Threads(reactor, 2, "test")
        for end in (threads.stop, guarded.close, own.close):
            self.addCleanup(end)
        self.downloads = Downloads(Servers(own, guarded), threads, reactor, self.seconds)
        services = Services(cast(Queue, self.taskcluster), cast(Index, self.taskcluster), self.taskcluster.of)
        self.contents = Contents(services, self.downloads)
        self.said: list[str] = []
        self.sink = MemorySink()

    async def resolve(self, **content: Any) -> IContent:
        """Find out what a content means."""
        return await self.contents.resolve(content, self.said.append)

    async def unpinned(self, **content: Any) -> IContent:
        """The same for somebody to whom it does not matter whether it changes."""
        return await self.contents.resolve(content, self.said.append, pinned=False)

    async def fetch(self, url: str, sha256: str | None = SHA256) -> Fetched:
        """Fetch what is at an address."""
        content = {"url": url} if sha256 is None else {"url": url, "sha256": sha256}
        return await self.contents.fetch(await self.resolve(**content), self.sink, self.said.append)

    async def failure(self, waiting: Any, kind: type[TaskError]) -> str:
        """The text of the error that something ends with."""
        with self.assertRaises(kind) as caught:
            await waiting
        return str(caught.exception)

    async def arrives(self, url: str, sha256: str | None = SHA256) -> Fetched:
        """Check that a whole content comes, and that its sink is told so."""
        fetched = await self.fetch(url, sha256)
        self.assertEqual((fetched.size, fetched.sha256), (len(DATA), SHA256))
        self.assertTrue(self.sink.data == DATA, "another content came")
        self.assertEqual((self.sink.finished, self.sink.abandoned), (True, False))
        return fetched

    def offsets(self, path: str) -> list[int | None]:
        """From where on each request wanted the content of a path."""
        return [asked.offset for asked in self.server.gets(path)]
