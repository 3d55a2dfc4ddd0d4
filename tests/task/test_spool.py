"""What is written little by little, in memory and then on disk."""

from __future__ import annotations

import errno
import os
from unittest.mock import patch

from twisted.trial.unittest import TestCase

from tcworker.filebody import MemoryFile
from tcworker.task.spool import MOST_IN_MEMORY, Spool
from tcworker.testing.context import read_archived

PIECE = os.urandom(1000)


class Spools(TestCase):
    """A little, and much."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.open_files = len(os.listdir("/proc/self/fd"))
        self.spool = Spool(self.folder)

    def write(self, pieces: int) -> bytes:
        for _ in range(pieces):
            self.spool.write(PIECE)
        return PIECE * pieces

    async def assert_gives(self, data: bytes) -> None:
        file = self.spool.file("there")
        self.spool.close()
        self.assertEqual((file.path, file.size), ("there", len(data)))
        self.assertEqual(await read_archived(file), data)
        file.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.open_files)

    async def test_a_little_needs_no_file(self) -> None:
        with patch("tcworker.task.spool.unnamed_file", side_effect=AssertionError("a file")):
            await self.assert_gives(self.write(MOST_IN_MEMORY // len(PIECE)))

    async def test_much_is_in_a_file_that_nobody_finds(self) -> None:
        data = self.write(MOST_IN_MEMORY // len(PIECE) + 10)
        self.assertNotIsInstance(self.spool.file("there"), MemoryFile)
        self.assertEqual(os.listdir(self.folder), [])
        await self.assert_gives(data)

    async def test_nothing(self) -> None:
        await self.assert_gives(b"")

    async def test_a_little_that_takes_the_place_of_a_little(self) -> None:
        self.write(1)
        self.spool.clear()
        await self.assert_gives(self.write(2))

    async def test_a_little_that_takes_the_place_of_much(self) -> None:
        self.write(100)
        self.spool.clear()
        await self.assert_gives(self.write(2))

    async def test_a_full_disk_is_told_and_what_was_written_stays(self) -> None:
        data = self.write(MOST_IN_MEMORY // len(PIECE))
        full = OSError(errno.ENOSPC, "the disk was full")
        with patch("tcworker.task.log_raw.os.open", side_effect=full):
            self.assertRaises(OSError, self.spool.write, PIECE)
        self.spool.write(PIECE)
        await self.assert_gives(data + PIECE)

    def test_to_close_one_twice_does_no_harm(self) -> None:
        self.write(100)
        self.spool.close()
        self.spool.close()
