"""A run's log, from its first line to the sealed gzip."""

from __future__ import annotations

import errno
import gzip
import os
import stat
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tcworker.errors import ResourceUnavailable
from tcworker.interfaces import ILentLog
from tcworker.task.log import TaskLog
from tcworker.task.log_compression import GzippedLog
from tcworker.testing.context import read_archived
from tcworker.waiting import Threads

STAMP = "2030-01-31T12:00:00.250Z"
NOON = 1896091200.25


class LogTest(TestCase):
    """A log in a folder of the test's own, by the test's own clock."""

    timeout = 30

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.clock = Clock()
        self.clock.advance(NOON)
        self.threads = Threads(reactor, 2, "log")  # type: ignore[arg-type]  # the reactor is a module to mypy
        self.addCleanup(self.threads.stop)
        self.broken: list[ResourceUnavailable] = []
        self.appended: list[bytes] = []
        self.begin()

    def begin(self, limit: int = 0) -> None:
        self.log = TaskLog(self.folder, self.clock, self.threads, limit=limit, broken=self.broken.append)
        self.addCleanup(self.log.dispose)

    def begin_anew(self, limit: int) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.begin(limit)

    def lend(self) -> ILentLog:
        return self.log.lend(self.appended.append)

    async def sealed(self) -> bytes:
        sealed = await self.log.seal()
        text = gzip.decompress(await read_archived(sealed.file))
        self.assertEqual(sealed.length, len(text))
        return text


class Writing(LogTest):
    """What is in the log, in which order."""

    async def test_the_lines_of_the_worker(self) -> None:
        self.log.info("hello\nworld")
        self.log.warn("beware\n")
        self.log.error("bad")
        self.assertEqual(
            (await self.sealed()).decode(),
            f"[taskcluster {STAMP}] hello\n[taskcluster {STAMP}] world\n"
            f"[taskcluster:warn {STAMP}] beware\n[taskcluster:error] bad\n",
        )

    async def test_an_error_that_it_ends_with_is_said_once(self) -> None:
        self.log.error("bad\nand worse")
        self.log.end_with("bad\nand worse")
        self.assertEqual(await self.sealed(), b"[taskcluster:error] bad\n[taskcluster:error] and worse\n")

    async def test_and_again_if_anything_came_after_it(self) -> None:
        said: list[Callable[[], None]] = [
            lambda: self.log.info("bad"),
            lambda: self.log.error("worse"),
            lambda: self.log.write(b"printed\n"),
        ]
        for say in said:
            self.log.error("bad")
            say()
            self.log.end_with("bad")
        text = await self.sealed()
        self.assertEqual(
            (text.count(b"[taskcluster:error] bad\n"), text.splitlines()[-1]), (6, b"[taskcluster:error] bad")
        )

    async def test_an_empty_log(self) -> None:
        self.assertEqual(await self.sealed(), b"")

    async def test_what_cannot_be_encoded(self) -> None:
        self.log.info("file \udcff")
        self.assertIn(b"file \\udcff\n", await self.sealed())

    async def test_a_line_of_the_worker_begins_a_line(self) -> None:
        self.log.write(b"no end")
        self.log.error("bad")
        self.assertEqual(await self.sealed(), b"no end\n[taskcluster:error] bad\n")

    async def test_one_who_borrows_it_writes_where_it_ends(self) -> None:
        self.log.write(b"before\n")
        lent = self.lend()
        os.write(lent.descriptor, b"within\n")
        lent.give_back()
        lent.give_back()
        self.log.write(b"after\n")
        self.assertEqual(await self.sealed(), b"before\nwithin\nafter\n")

    async def test_while_it_is_lent_the_worker_has_its_lines_appended(self) -> None:
        lent = self.lend()
        self.log.error("bad")
        self.log.write(b"raw")
        self.assertEqual(self.appended, [b"[taskcluster:error] bad\n", b"raw"])
        lent.give_back()
        self.assertEqual(await self.sealed(), b"")

    def test_it_cannot_be_lent_twice(self) -> None:
        self.lend()
        self.assertRaises(RuntimeError, self.lend)

    async def test_a_log_that_nobody_gave_back_is_sealed_all_the_same(self) -> None:
        os.write(self.lend().descriptor, b"last words\n")
        self.assertEqual(await self.sealed(), b"last words\n")

    async def test_nothing_comes_after_the_end(self) -> None:
        self.log.write(b"all\n")
        sealed = await self.log.seal()
        self.log.info("too late")
        self.log.write(b"too late")
        self.assertEqual(gzip.decompress(await read_archived(sealed.file)), b"all\n")

    async def test_whoever_has_more_to_say_is_heard_once(self) -> None:
        await self.log.seal()
        with capturedLogs() as told:
            self.log.info("Uploading artifact 0")
            for number in range(3):
                self.log.warn(f"artifact {number} came too late")
        (line,) = [str(formatEvent(event)) for event in told]
        self.assertIn("artifact 0 came too late", line)

    def test_nobody_else_can_read_it(self) -> None:
        (name,) = os.listdir(self.folder)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode), 0o600)

    async def test_much_that_comes_at_once(self) -> None:
        text = b"".join(b"line %d of a long log\n" % number for number in range(200_000))
        lent = self.lend()
        os.write(lent.descriptor, text)
        self.clock.advance(0.3)
        lent.give_back()
        self.assertEqual(await self.sealed(), text)

    async def test_nothing_is_left_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        self.begin_anew(1000)
        self.lend()
        await self.log.seal()
        await self.log.dispose()
        await self.log.dispose()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_it_can_be_dropped_while_it_is_lent(self) -> None:
        lent = self.lend()
        await self.log.dispose()
        lent.give_back()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Cutting(LogTest):
    """A log that is longer than it may be."""

    async def test_the_middle_is_missing_and_it_says_so(self) -> None:
        self.begin_anew(200)
        for number in range(100):
            self.log.write(b"line %03d\n" % number)
        lines = (await self.sealed()).decode().splitlines()
        self.assertEqual(lines[0], "line 000")
        self.assertEqual(lines[-1], "line 099")
        (notice,) = [line for line in lines if "missing" in line]
        self.assertTrue(notice.startswith(f"[taskcluster:warn {STAMP}] 700 bytes"), notice)

    async def test_a_log_within_its_limit_is_whole(self) -> None:
        self.begin_anew(200)
        text = b"line\n" * 40
        self.log.write(text)
        self.assertEqual(await self.sealed(), text)

    async def test_a_secret_in_what_is_kept_of_the_end(self) -> None:
        self.begin_anew(20)
        self.log.mask("secret")
        self.log.write(b"0123456789 a secret")
        self.assertEqual(await self.sealed(), b"0123456789 a [masked]")


class Masking(LogTest):
    """Secrets."""

    async def test_a_secret_that_is_known_beforehand(self) -> None:
        self.log.mask("hunter2")
        self.log.info("the password is hunter2")
        self.assertIn(b"the password is [masked]\n", await self.sealed())

    async def test_a_secret_that_is_known_after_it_was_compressed(self) -> None:
        self.log.write(b"x" * 100_000 + b"hunter2" + b"y" * 300_000)
        self.clock.advance(1)
        await self.log._compression.caught_up()
        self.log.mask("hunter2")
        self.assertEqual(await self.sealed(), b"x" * 100_000 + b"[masked]" + b"y" * 300_000)

    async def test_a_secret_whose_beginning_was_compressed_before_it_was_known(self) -> None:
        self.log.write(b"the password is hun")
        await self.log._compression.caught_up()
        self.log.mask("hunter2")
        self.log.write(b"ter2, truly")
        self.assertEqual(await self.sealed(), b"the password is [masked], truly")

    async def test_a_secret_that_never_was_in_it_changes_nothing(self) -> None:
        self.log.write(b"x" * 300_000)
        await self.log._compression.caught_up()
        with patch.object(self.log._compression._stream, "restart") as restart:
            self.log.mask("hunter2")
            self.log.mask("")
            self.assertEqual(await self.sealed(), b"x" * 300_000)
        restart.assert_not_called()


class Following(LogTest):
    """Those who read it while it is written."""

    def setUp(self) -> None:
        super().setUp()
        self.pieces: list[bytes] = []

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)

    def test_from_the_beginning_and_as_it_grows(self) -> None:
        self.log.write(b"one\n")
        self.log.follow(self.pieces.append)
        self.assertEqual(self.text, b"one\n")
        self.log.write(b"two\n")
        self.assertEqual(self.text, b"one\ntwo\n")

    def test_while_it_is_lent(self) -> None:
        self.log.follow(self.pieces.append)
        lent = self.lend()
        os.write(lent.descriptor, b"one\n")
        self.clock.advance(0.25)
        self.assertEqual(self.text, b"one\n")
        os.write(lent.descriptor, b"two\n")
        lent.give_back()
        self.assertEqual(self.text, b"one\ntwo\n")

    async def test_the_end_is_an_empty_piece(self) -> None:
        self.log.mask("secret")
        self.log.follow(self.pieces.append)
        self.log.write(b"a secret and a sec")
        await self.log.seal()
        self.assertEqual(self.text, b"a [masked] and a sec")
        self.assertEqual(self.pieces.count(b""), 1)
        self.assertEqual(self.pieces[-1], b"")

    async def test_one_who_comes_after_the_end_gets_all(self) -> None:
        self.log.write(b"x" * 500_000)
        await self.log.seal()
        self.log.follow(self.pieces.append)
        await self.log.dispose()
        self.assertEqual(self.text, b"x" * 500_000)
        self.assertEqual(self.pieces[-1], b"")

    async def test_one_who_comes_after_everything_is_told_that_it_is_over(self) -> None:
        await self.log.seal()
        await self.log.dispose()
        self.log.follow(self.pieces.append)
        self.assertEqual(self.pieces, [b""])

    def test_one_who_leaves(self) -> None:
        leave = self.log.follow(self.pieces.append)
        leave()
        leave()
        self.log.write(b"one\n")
        self.assertEqual(self.pieces, [])

    def test_one_who_fails_harms_nobody(self) -> None:
        def fail(piece: bytes) -> None:
            raise RuntimeError("no")

        self.log.follow(fail)
        self.log.follow(self.pieces.append)
        self.log.write(b"one\n")
        self.log.write(b"two\n")
        self.assertEqual(self.text, b"one\ntwo\n")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_one_who_writes_to_the_log_in_turn(self) -> None:
        def answer(piece: bytes) -> None:
            self.pieces.append(piece)
            if piece == b"ping\n":
                self.log.write(b"pong\n")

        self.log.follow(answer)
        self.log.write(b"ping\n")
        self.assertEqual(self.text, b"ping\npong\n")


def full(*arguments: Any) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_until_full(fine: int) -> Callable[..., int]:
    """An C{os.open} that opens so many files and no more."""
    opened: list[int] = []
    real = os.open

    def open_file(*arguments: Any) -> int:
        if len(opened) == fine:
            return full()
        opened.append(real(*arguments))
        return opened[-1]

    return open_file


class FullDisks(LogTest):
    """A disk that takes nothing more."""

    async def seal(self) -> tuple[GzippedLog, bytes]:
        sealed = await self.log.seal()
        return sealed, gzip.decompress(await read_archived(sealed.file))

    def assert_told_once(self) -> None:
        (error,) = self.broken
        self.assertIn(self.folder, str(error))
        self.assertIn("No space left on device", str(error))

    async def test_a_line_that_cannot_be_written_still_is_in_the_sealed_log(self) -> None:
        self.log.write(b"before\n")
        self.log.mask("secret")
        with patch("tcworker.launcher.sink.os.write", full):
            self.log.error("no room for a secret")
            self.log.error("nor for this")
        text = await self.sealed()
        self.assertEqual(
            text, b"before\n[taskcluster:error] no room for a [masked]\n[taskcluster:error] nor for this\n"
        )
        self.assert_told_once()

    async def test_a_log_that_cannot_be_compressed_on_disk_is_compressed_in_memory(self) -> None:
        self.log.write(b"before\n")
        with patch.object(self.log._compression._stream, "_write", full):
            _, text = await self.seal()
        self.assertTrue(text.startswith(b"before\n"))
        self.assertIn(b"the disk was full", text)
        self.assert_told_once()

    async def test_a_disk_that_is_full_in_the_middle(self) -> None:
        with patch.object(self.log._compression._stream, "_write", full):
            self.log.write(os.urandom(3_000_000))
            await self.log._compression.caught_up()
        self.log.write(b"after\n")
        _, text = await self.seal()
        self.assertIn(b"after\n", text)
        self.assert_told_once()

    async def test_a_disk_that_takes_neither_the_log_nor_what_is_compressed_of_it(self) -> None:
        self.log.write(b"before\n")
        self.log.mask("secret")
        with patch("tcworker.launcher.sink.os.write", full):
            self.log.error("the secret reason why it ends")
        with patch.object(self.log._compression._stream, "_write", full):
            _, text = await self.seal()
        self.assertTrue(text.startswith(b"before\n"))
        self.assertTrue(text.endswith(b"[taskcluster:error] the [masked] reason why it ends\n"))
        self.assertIn(b"the disk was full", text)
        self.assert_told_once()

    def test_a_log_that_cannot_even_begin(self) -> None:
        with patch("tcworker.task.log_raw.os.open", full):
            error = self.assertRaises(ResourceUnavailable, self.begin_anew, 0)
        self.assertIn(self.folder, str(error))

    def test_one_that_cannot_begin_leaves_nothing_open(self) -> None:
        open_files = len(os.listdir("/proc/self/fd"))
        # The raw file, its ring: each of them may be one too many.
        for fine in range(2):
            with patch("tcworker.task.log_raw.os.open", side_effect=open_until_full(fine)):
                self.assertRaises(ResourceUnavailable, self.begin_anew, 1000)
        self.assertEqual(len(os.listdir("/proc/self/fd")), open_files)


class Pieces(LogTest):
    """Threads."""

    async def test_a_little_needs_no_thread(self) -> None:
        def refuse(*arguments: Any) -> Deferred[Any]:
            raise AssertionError("a hop to a thread")

        with patch.object(self.threads, "run", refuse):
            lent = self.lend()
            os.write(lent.descriptor, b"hello\n" * 100)
            lent.give_back()
            self.log.info("done")
            sealed = self.successResultOf(self.log.seal())
        self.assertGreater(sealed.length, 600)

    async def test_a_long_log_is_closed_in_a_thread(self) -> None:
        self.log.write(b"x" * 100_000)
        await self.log.seal()
        closing: Deferred[Any] = Deferred()
        with patch.object(self.threads, "run", return_value=closing) as run:
            disposing = self.log.dispose()
            self.assertNoResult(disposing)
            (call,) = run.call_args_list
            call.args[0]()
            closing.callback(None)
        await disposing
        self.assertRaises(OSError, os.fstat, self.log._raw.descriptor)
