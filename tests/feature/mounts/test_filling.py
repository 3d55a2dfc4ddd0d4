"""What is fetched, in folders on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import TaskFailed
from tcworker.extract.extractor import Extracted, Owner
from tcworker.feature.mounts.filling import CONTENT, Filler
from tcworker.interfaces import Fetched, IContent, ISink
from tcworker.testing.facilities import NoThreads
from tests.feature.mounts.harness import Content

CLANG = Content("key", "clang.tar.zst")


class Contents:
    """Gives some bytes to whatever takes them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.begun = False

    def fetch(self, content: IContent, sink: ISink, say: Callable[[str], None]) -> Deferred[Fetched]:
        self.begun = True
        return Deferred.fromCoroutine(self._fetch(sink))

    def fetch_file(self, content: IContent, path: str, say: Callable[[str], None]) -> Deferred[Fetched]:
        Path(path).write_bytes(self.data)
        return succeed(Fetched(len(self.data), "abc", 1.0))

    async def _fetch(self, sink: ISink) -> Fetched:
        await sink.begin(len(self.data))
        await sink.write(self.data)
        await sink.finish()
        return Fetched(len(self.data), "abc", 1.0)


class Extractor:
    """Puts a single file into a folder, and "decompresses" by writing in lower case.

    @ivar problem: what it says to any content.
    @ivar room: what its extractions wait for.
    """

    def __init__(self) -> None:
        self.problem: TaskFailed | None = None
        self.room: Deferred[None] = succeed(None)
        self.asked: list[Any] = []

    def into_folder(self, form: str, folder: str, owner: Owner | None) -> Any:
        self.asked.append((form, owner))
        return Extraction(folder, self.room)

    def decompress(self, form: str, source: int, target: int) -> Deferred[Extracted]:
        if self.problem is not None:
            return fail(self.problem)
        return succeed(Extracted(1, os.write(target, os.pread(source, 99, 0).lower())))


class Extraction:
    """A sink for an archive."""

    extracted = Extracted(1, 1500)

    def __init__(self, folder: str, room: Deferred[None]) -> None:
        self._path = os.path.join(folder, "member")
        self._room = room

    def prepare(self) -> Deferred[None]:
        return self._room

    def begin(self, size: int | None) -> Deferred[None]:
        return succeed(None)

    def write(self, data: bytes) -> Deferred[None]:
        Path(self._path).write_bytes(data)
        return succeed(None)

    def finish(self) -> Deferred[None]:
        return succeed(None)


class Folder:
    """One on disk."""

    owner: tuple[int, int] | None = None

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def files(self) -> dict[str, bytes]:
        return {name: Path(self.path, name).read_bytes() for name in os.listdir(self.path)}


class Filling(SynchronousTestCase):
    def setUp(self) -> None:
        path = self.mktemp()
        os.mkdir(path)
        self.folder: Any = Folder(path)
        self.extractor = Extractor()
        self.said: list[str] = []
        self.contents: Any = Contents(b"CONTENT")
        self.filler = Filler(self.contents, self.extractor, NoThreads())  # type: ignore[arg-type]  # a fake

    def fetch(self, form: str | None) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.filler.fetch(CLANG, form, self.folder, self.said.append))

    def test_a_file_as_it_comes(self) -> None:
        self.assertEqual(self.successResultOf(self.fetch(None)), {"sha256": "abc"})
        self.assertEqual(self.folder.files, {CONTENT: b"CONTENT"})

    def test_a_compressed_file_of_which_nothing_else_is_kept(self) -> None:
        self.assertEqual(self.successResultOf(self.fetch("xz")), {"sha256": "abc"})
        self.assertEqual(self.folder.files, {CONTENT: b"content"})
        self.assertEqual(self.said, ["decompressed clang.tar.zst (xz): 7 B"])

    def test_one_that_is_none_leaves_nothing_open(self) -> None:
        self.extractor.problem = TaskFailed("no xz")
        before = os.listdir("/proc/self/fd")
        self.failureResultOf(self.fetch("xz"), TaskFailed)
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_an_archive_for_whoever_owns_the_folder(self) -> None:
        self.folder.owner = (40000, 40001)
        extracting = Deferred.fromCoroutine(self.filler.extract(CLANG, "tar.zst", self.folder, self.said.append))
        self.assertEqual(self.successResultOf(extracting), {"sha256": "abc"})
        self.assertEqual(self.extractor.asked, [("tar.zst", Owner(40000, 40001))])
        self.assertEqual(self.folder.files, {"member": b"CONTENT"})
        self.assertEqual(self.said, ["extracted clang.tar.zst (tar.zst): 1 entries, 1.5 kB"])

    def test_an_archive_for_the_worker_itself(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.filler.extract(CLANG, "tar", self.folder, self.said.append)))
        self.assertEqual(self.extractor.asked, [("tar", None)])

    def test_no_server_is_asked_before_there_is_room_to_unpack(self) -> None:
        room = self.extractor.room = Deferred()
        extracting = Deferred.fromCoroutine(self.filler.extract(CLANG, "tar", self.folder, self.said.append))
        self.assertFalse(self.contents.begun)
        room.callback(None)
        self.successResultOf(extracting)
