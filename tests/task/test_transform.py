"""Files compressed before they are uploaded."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from tcworker.errors import ArchiveError, ResourceUnavailable
from tcworker.filebody import DescriptorFile, MemoryFile
from tcworker.interfaces import IArchivedFile
from tcworker.task import transform as module
from tcworker.task.log_raw import unnamed_file
from tcworker.task.transform import Coder, Gunzip, Gzip, transform
from tcworker.testing.context import read_archived
from tcworker.waiting import Threads

LARGE = os.urandom(1_000_000) + b"x" * 1_000_000


class Transforming(TestCase):
    """There and back."""

    timeout = 30

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.threads = Threads(reactor, 2, "transform")  # type: ignore[arg-type]  # the reactor is a module to mypy
        self.addCleanup(self.threads.stop)
        # Threads and the reactor have files of their own, once they run.
        await self.threads.run(lambda: None)
        self.open_files = len(os.listdir("/proc/self/fd"))

    def on_disk(self, data: bytes) -> DescriptorFile:
        descriptor = unnamed_file(self.folder)
        os.write(descriptor, data)
        file = DescriptorFile("file", descriptor)
        self.addCleanup(file.close)
        return file

    def turn(self, file: IArchivedFile, coder: Coder) -> Deferred[IArchivedFile]:
        return Deferred.fromCoroutine(transform(file, coder, self.folder, self.threads))

    async def compressed(self, data: bytes) -> bytes:
        turned = await self.turn(self.on_disk(data), Gzip("file"))
        self.addCleanup(turned.close)
        return gzip.decompress(await read_archived(turned))

    async def test_compressing_a_small_file(self) -> None:
        self.assertEqual(await self.compressed(b"hello"), b"hello")

    async def test_compressing_an_empty_file(self) -> None:
        self.assertEqual(await self.compressed(b""), b"")

    async def test_compressing_a_large_file(self) -> None:
        self.assertEqual(await self.compressed(LARGE), LARGE)

    async def test_decompressing(self) -> None:
        for data in (b"hello", b"", LARGE, b"0" * 20_000_000):
            turned = await self.turn(self.on_disk(gzip.compress(data)), Gunzip())
            self.assertEqual(await read_archived(turned), data)
            turned.close()

    async def test_a_body_that_knows_no_pause(self) -> None:
        turned = await self.turn(MemoryFile("file", LARGE), Gzip("file"))
        self.assertEqual(gzip.decompress(await read_archived(turned)), LARGE)
        turned.close()

    async def test_the_result_can_be_read_twice(self) -> None:
        turned = await self.turn(self.on_disk(LARGE), Gzip("file"))
        self.assertEqual(await read_archived(turned), await read_archived(turned))
        turned.close()

    async def test_nothing_is_left_open(self) -> None:
        file = self.on_disk(LARGE)
        (await self.turn(file, Gzip("file"))).close()
        file.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.open_files)
        self.assertEqual(os.listdir(self.folder), [])

    async def test_no_room(self) -> None:
        def full(*arguments: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for call in ("_write", "unnamed_file"):
            file = self.on_disk(LARGE)
            with patch.object(module, call, full):
                error = await self.assertFailure(self.turn(file, Gzip("file")), ResourceUnavailable)
            self.assertIn(self.folder, str(error))
            file.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.open_files)

    async def test_a_file_that_shrinks(self) -> None:
        file = self.on_disk(LARGE)
        turning = self.turn(file, Gzip("file"))
        os.truncate(file._descriptor, 500_000)  # type: ignore[arg-type]  # it is open
        await self.assertFailure(turning, ArchiveError)

    async def test_giving_up(self) -> None:
        file = self.on_disk(LARGE * 5)
        turning = self.turn(file, Gzip("file"))
        turning.cancel()
        await self.assertFailure(turning, CancelledError)
        file.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.open_files)

    async def test_given_up_it_ends_when_no_thread_works_on_it_any_more(self) -> None:
        threads = Held()
        file = self.on_disk(LARGE)
        turning = Deferred.fromCoroutine(transform(file, Gzip("file"), self.folder, threads))
        turning.cancel()
        self.assertNoResult(turning)
        threads.held.callback(None)
        self.failureResultOf(turning, CancelledError)
        file.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.open_files)


class Held:
    """Threads whose one job lasts until the test ends it."""

    def __init__(self) -> None:
        self.held: Deferred[Any] = Deferred()

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self.held
