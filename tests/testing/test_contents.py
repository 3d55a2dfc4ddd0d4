from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import DownloadFailed, TaskError, TaskFailed
from tcworker.interfaces import Fetched
from tcworker.testing.contents import FakeContents, MemorySink
from tests.download.case import ContentsCase
from tests.integration.bad_server import content

DATA = b"some content" * 20_000


class ContentsContract:
    """What whoever mounts something relies on, of the fake contents and the real ones."""

    contents: Any
    url: str
    missing: str

    def finish(self, work: Deferred[Any]) -> Deferred[Any]:
        raise NotImplementedError

    async def _fetch(self, sink: MemorySink, **more: str) -> Fetched:
        self.said: list[str] = []
        found = await self.contents.resolve({"url": self.url, **more}, self.said.append)
        fetched: Fetched = await self.contents.fetch(found, sink, self.said.append)
        return fetched

    async def _whole(self) -> None:
        sink = MemorySink()
        digest = hashlib.sha256(DATA).hexdigest()
        fetched = await self._fetch(sink, sha256=digest)
        assert (fetched.size, fetched.sha256, sink.data == DATA) == (len(DATA), digest, True)
        assert (sink.finished, sink.abandoned) == (True, False)
        assert self.said[0].startswith("downloading "), self.said

    async def _fails(self, kind: type[TaskError], work: Any) -> None:
        try:
            await work
        except kind:
            return
        raise AssertionError(f"it was no {kind.__name__}")

    async def _wrong(self) -> None:
        sink = MemorySink()
        await self._fails(DownloadFailed, self._fetch(sink, sha256="0" * 64))
        assert (sink.finished, sink.abandoned) == (False, True)

    async def _refused(self) -> None:
        sink = MemorySink()
        sink.refuse = TaskFailed("no")
        await self._fails(TaskFailed, self._fetch(sink))
        assert (sink.finished, sink.abandoned) == (False, True)

    async def _file(self, path: str) -> None:
        found = await self.contents.resolve({"url": self.url}, lambda line: None)
        fetched = await self.contents.fetch_file(found, path, lambda line: None)
        assert (_read(path), fetched.size) == (DATA, len(DATA))

    async def _keys(self) -> None:
        first, second = [await self.contents.resolve({"url": self.url}, lambda line: None) for _ in range(2)]
        assert (first.key, first.lasting) == (second.key, True)

    def test_a_whole_content(self) -> Any:
        return self.finish(Deferred.fromCoroutine(self._whole()))

    def test_a_wrong_checksum(self) -> Any:
        return self.finish(Deferred.fromCoroutine(self._wrong()))

    def test_a_sink_that_refuses(self) -> Any:
        return self.finish(Deferred.fromCoroutine(self._refused()))

    def test_a_file(self) -> Any:
        path: str = self.mktemp()  # type: ignore[attr-defined]  # of the test case that this is mixed into
        return self.finish(Deferred.fromCoroutine(self._file(path)))

    def test_the_same_key_while_nothing_changes(self) -> Any:
        return self.finish(Deferred.fromCoroutine(self._keys()))

    def test_something_that_is_not_there(self) -> Any:
        work = self.contents.resolve({"url": self.missing}, lambda line: None)
        return self.finish(Deferred.fromCoroutine(self._fails(DownloadFailed, work)))


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


class FakeContentsTests(ContentsContract, SynchronousTestCase):
    def setUp(self) -> None:
        self.url, self.missing = "http://example.com/a", "http://example.com/b"
        fake = FakeContents()
        fake.there[self.url] = DATA
        self.contents = fake

    def finish(self, work: Deferred[Any]) -> Any:
        self.successResultOf(work)


class RealContentsTests(ContentsContract, ContentsCase):
    contents: Any

    def setUp(self) -> None:
        super().setUp()
        self.url, self.missing = self.server.serve("/a", content(DATA)), f"{self.server.root}/b"

    def finish(self, work: Deferred[Any]) -> Deferred[Any]:
        return work
