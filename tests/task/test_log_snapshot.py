"""A log as it is while it still grows."""

from __future__ import annotations

import gzip
import os
import random
import zlib

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tcworker.errors import ResourceUnavailable
from tcworker.interfaces import IArchivedFile
from tcworker.task import spool
from tcworker.task.log import TaskLog
from tcworker.task.log_compression import GzippedLog
from tcworker.task.masks import LogMasks
from tcworker.task.secret_forms import forms_of
from tcworker.testing.context import read_archived
from tcworker.waiting import Threads
from tests.task.held import Held
from tests.task.masked import masked_at_once

STILL = b"the task was still running when its log was as long as this"


class SnapshotTest(TestCase):
    """A log in a folder of the test's own."""

    timeout = 30

    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = Threads(reactor, 2, "log")  # type: ignore[arg-type]  # the reactor is a module to mypy
        self.addCleanup(self.threads.stop)
        self.late = 0
        self.log = self.begin()

    def begin(self, limit: int = 0, masks: LogMasks | None = None) -> TaskLog:
        folder = self.mktemp()
        os.mkdir(folder)
        log = TaskLog(folder, self.clock, self.threads, limit=limit, broken=self.broken, masks=masks)
        log.on_late_secret(self.is_late)
        self.addCleanup(log.dispose)
        return log

    def is_late(self) -> None:
        self.late += 1

    def broken(self, error: ResourceUnavailable) -> None:
        self.fail(str(error))

    async def seen(self, log: TaskLog) -> bytes:
        """What a snapshot shows, without the worker's line at its end."""
        snapshot = await log.snapshot()
        text = await self.text(snapshot)
        shown, found, _ = text.rpartition(b"[taskcluster ")
        self.assertTrue(found)
        return shown

    async def text(self, snapshot: GzippedLog) -> bytes:
        content = await self.content(snapshot.file)
        text = gzip.decompress(content)
        self.assertEqual(snapshot.length, len(text))
        return text

    async def content(self, file: IArchivedFile) -> bytes:
        try:
            return await read_archived(file)
        finally:
            file.close()


class WhatItShows(SnapshotTest):
    async def test_all_that_was_printed_and_that_more_may_come(self) -> None:
        self.log.write(b"one\n")
        text = await self.text(await self.log.snapshot())
        self.assertTrue(text.startswith(b"one\n[taskcluster "))
        self.assertTrue(text.endswith(STILL + b"\n"))

    async def test_the_log_goes_on_as_if_it_had_not_been(self) -> None:
        whole = b""
        for number in range(5):
            self.log.write(b"%d\n" % number * 50_000)
            whole += b"%d\n" % number * 50_000
            self.assertEqual(await self.seen(self.log), whole)
        sealed = await self.log.seal()
        self.assertEqual(gzip.decompress(await read_archived(sealed.file)), whole)

    async def test_it_is_one_whole_member_and_so_is_the_log(self) -> None:
        for number in range(3):
            self.log.write(b"%d\n" % number * 400_000)
            await self.whole_member(await self.log.snapshot())
        await self.whole_member(await self.log.seal())

    async def whole_member(self, log: GzippedLog) -> None:
        reader = zlib.decompressobj(31)
        reader.decompress(await self.content(log.file))
        self.assertEqual((reader.eof, reader.unused_data), (True, b""))

    async def test_it_has_no_more_than_there_was_when_it_was_asked_for(self) -> None:
        self.log.write(b"x" * 1_000_000)
        asked = self.log.snapshot()
        self.log.write(b"y" * 5_000_000)
        shown = await self.text(await asked)
        # What came while the log was read up to there may be in it, and no byte twice or out of order.
        body, _, _ = shown.rpartition(b"\n[taskcluster ")
        self.assertEqual(body, b"x" * 1_000_000 + b"y" * (len(body) - 1_000_000))

    async def test_of_a_log_that_is_too_long_it_has_the_beginning_and_says_how_much_more_there_is(self) -> None:
        log = self.begin(limit=1000)
        log.write(b"x" * 700)
        text = await self.text(await log.snapshot())
        self.assertTrue(text.startswith(b"x" * 500 + b"\n"))
        self.assertIn(b"; 200 bytes more were printed already", text)

    async def test_a_task_that_prints_faster_than_that_is_read_does_not_hold_it_up(self) -> None:
        slow = Held()
        folder = self.mktemp()
        os.mkdir(folder)
        masks = LogMasks().with_patterns(["secret"])
        log = TaskLog(folder, self.clock, slow, limit=0, broken=self.broken, masks=masks)
        log.write(b"x" * 1_000_000)
        taking = log.snapshot()
        self.assertNoResult(taking)
        self.clock.advance(5)
        # Nothing is read so far, and so there is nothing to wait for.
        snapshot = self.successResultOf(taking)
        self.assertTrue((await self.text(snapshot)).startswith(b"[taskcluster "))
        self.patch(slow, "run", self.threads.run)
        slow.jobs[0].callback(None)
        await log.dispose()


class Secrets(SnapshotTest):
    async def test_they_are_masked(self) -> None:
        self.log.mask("hunter2")
        self.log.write(b"it is hunter2\n")
        self.assertEqual(await self.seen(self.log), b"it is [masked]\n")

    async def test_half_of_one_is_not_shown(self) -> None:
        log = self.begin(masks=LogMasks().with_patterns(["token=[a-z]{8}"]))
        log.mask("hunter2")
        log.write(b"a line\nit is hunt")
        self.assertEqual(await self.seen(log), b"a line\n")
        log.write(b"er2\ntoken=abcd")
        self.assertEqual(await self.seen(log), b"a line\nit is [masked]\n")

    async def test_one_that_a_snapshot_had_and_that_is_known_only_now_is_told_of(self) -> None:
        self.log.write(b"it is hunter2\n")
        self.assertEqual(await self.seen(self.log), b"it is hunter2\n")
        self.log.mask("another")
        self.log.write(b"and so on\n" * 30_000)
        await self.log._compression.caught_up()
        self.assertEqual(self.late, 0)
        self.log.mask("hunter2")
        await self.log._compression.caught_up()
        self.assertEqual(self.late, 1)
        self.assertTrue((await self.seen(self.log)).startswith(b"it is [masked]\n"))

    async def test_so_is_one_that_is_known_only_when_the_log_is_sealed(self) -> None:
        self.log.write(b"it is hunter2\n")
        await self.seen(self.log)
        self.log.mask("hunter2")
        await self.log.seal()
        self.assertEqual(self.late, 1)


class Trouble(SnapshotTest):
    async def test_a_disk_that_is_full(self) -> None:
        self.log.write(os.urandom(100_000))

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(spool, "write_all", full)
        await self.assertFailure(self.log.snapshot(), OSError)
        self.assertEqual(self.open_files(), self.before)

    async def test_one_that_nobody_wants_any_more_leaves_no_file_open(self) -> None:
        self.log.write(b"x" * 10_000_000)
        taking: Deferred[GzippedLog] = self.log.snapshot()
        await self.log._compression.caught_up()
        self.assertNoResult(taking)
        taking.cancel()
        await self.assertFailure(taking, CancelledError)
        self.assertEqual(self.open_files(), self.before)

    def begin(self, limit: int = 0, masks: LogMasks | None = None) -> TaskLog:
        log = super().begin(limit, masks)
        self.before = self.open_files()
        return log

    def open_files(self) -> int:
        """How many of the log's files are open."""
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return sum("/live.log" in target or "(deleted)" in target for target in map(_target, links))


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


class AnyLog(SnapshotTest):
    """Random secrets in random pieces, many of them known only after they were printed, and snapshots between."""

    ROUNDS = 40

    async def test_none_shows_a_secret_that_is_known_and_none_changes_the_log(self) -> None:
        chance = random.Random(20261125)
        for number in range(self.ROUNDS):
            # Where there are patterns, all is done in threads.
            await self.see(chance, LogMasks().with_patterns(["nothing"][: number % 2]))

    async def see(self, chance: random.Random, masks: LogMasks) -> None:
        secrets = ["".join(chance.choices("abc", k=chance.randint(6, 12))) for _ in range(3)]
        log, printed, known = self.begin(masks=masks), b"", dict[str, None]()
        for secret in chance.choices([None, *secrets], k=12):
            piece = b"".join(self.some_text(chance, secrets) for _ in range(chance.randint(0, 6)))
            log.write(piece)
            printed += piece
            if secret is not None:
                log.mask(secret)
                known[secret] = None
            shown = await self.seen(log)
            self.assertEqual([secret for secret in known if secret.encode() in shown], [])
            # But for what is held back, and the line that the worker's own stands under, it is the log so far.
            forms = [form for secret in known for form in forms_of(secret)]
            so_far = masked_at_once(printed, forms, [])
            self.assertTrue(so_far.startswith(shown[:-1]), (so_far, shown))
        sealed = await log.seal()
        forms = [form for secret in known for form in forms_of(secret)]
        self.assertEqual(gzip.decompress(await read_archived(sealed.file)), masked_at_once(printed, forms, []))

    def some_text(self, chance: random.Random, secrets: list[str]) -> bytes:
        secret = chance.choice(secrets)
        return chance.choice([secret, secret[: chance.randint(1, 11)], "x\n", " "]).encode()
