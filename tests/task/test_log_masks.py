"""Secrets in a run's log: in the file that is uploaded, and for those who follow."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tcworker.errors import ResourceUnavailable
from tcworker.task.log import TaskLog
from tcworker.task.masks import LogMasks
from tcworker.task.secret_forms import forms_of
from tcworker.testing.context import read_archived
from tcworker.waiting import Threads, pause
from tests.task.masked import masked_at_once

ROUNDS = 60
FILLER = b"0123456789 \n"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class MaskedLog(TestCase):
    """A log in a folder of the test's own."""

    timeout = 60

    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = Threads(reactor, 2, "log")  # type: ignore[arg-type]  # the reactor is a module to mypy
        self.addCleanup(self.threads.stop)

    def begin(self, limit: int = 0, masks: LogMasks | None = None) -> TaskLog:
        folder = self.mktemp()
        os.mkdir(folder)
        log = TaskLog(folder, self.clock, self.threads, limit=limit, broken=self.broken, masks=masks)
        self.addCleanup(log.dispose)
        return log

    def broken(self, error: ResourceUnavailable) -> None:
        self.fail(str(error))

    async def sealed(self, log: TaskLog) -> bytes:
        return gzip.decompress(await read_archived((await log.seal()).file))


class AnyLog(MaskedLog):
    """Random secrets in random pieces, many of them known only after they were printed."""

    def setUp(self) -> None:
        super().setUp()
        self.chance = random.Random(20261124)

    def secret(self) -> str:
        return "".join(self.chance.choice(LETTERS) for _ in range(self.chance.randint(6, 40)))

    def some_text(self, secrets: list[str]) -> bytes:
        """Secrets, parts of them, and bytes that are in none of them."""
        secret = self.chance.choice(secrets).encode()
        part = secret[: self.chance.randint(0, 5)]
        filler = bytes(self.chance.choice(FILLER) for _ in range(self.chance.randint(1, 30)))
        return b"".join(self.chance.choice([secret, part, filler]) for _ in range(self.chance.randint(0, 4))) + filler

    async def test_all_is_as_if_it_was_masked_at_once(self) -> None:
        for _ in range(ROUNDS):
            secrets = [self.secret() for _ in range(3)]
            log, printed = self.begin(), b""
            for secret in self.chance.choices([None, *secrets], k=20):
                piece = self.some_text(secrets)
                printed += piece
                log.write(piece)
                if secret is not None:
                    log.mask(secret)
                await log._compression.caught_up()
            for secret in secrets:
                log.mask(secret)
            forms = [form for secret in secrets for form in forms_of(secret)]
            self.assertEqual(await self.sealed(log), masked_at_once(printed, forms, []))

    async def test_those_who_follow_see_the_same(self) -> None:
        for _ in range(ROUNDS):
            secrets = [self.secret() for _ in range(3)]
            log = self.begin(masks=LogMasks().with_patterns(["[0-9]{3} [0-9]"]))
            pieces: list[bytes] = []
            for secret in secrets:
                log.mask(secret)
            log.follow(pieces.append)
            for _ in range(20):
                log.write(self.some_text(secrets))
            sealed = await self.sealed(log)
            while pieces[-1:] != [b""]:
                await pause(reactor, 0.001)
            self.assertEqual(sealed, b"".join(pieces))

    async def test_no_part_of_one_is_left_where_a_log_is_cut(self) -> None:
        for _ in range(ROUNDS):
            secrets = [self.secret() for _ in range(3)]
            log = self.begin(limit=self.chance.randint(200, 400))
            for secret in secrets:
                log.mask(secret)
            for _ in range(40):
                log.write(self.some_text(secrets))
            text = await self.sealed(log)
            parts = {secret.encode()[at : at + 6] for secret in secrets for at in range(len(secret) - 5)}
            self.assertIn(b"bytes of the log are missing here", text)
            self.assertEqual([part for part in parts if part in text], [])


class CutLines(MaskedLog):
    """Patterns, in a log that is longer than it may be."""

    async def test_the_lines_that_are_cut_are_masked(self) -> None:
        log = self.begin(limit=60, masks=LogMasks().with_patterns(["token=[a-z]{8}"]))
        log.write(b"first line\nand then token=abcd" + b"." * 100 + b"token=abcdefgh, and then the end\nlast line\n")
        first, half, notice, rest, last = (await self.sealed(log)).splitlines()
        self.assertEqual((first, half, rest, last), (b"first line", b"[masked]", b"[masked]", b"last line"))
        self.assertIn(b"are missing here", notice)

    async def test_an_uncut_log_is_matched_as_one(self) -> None:
        log = self.begin(limit=60, masks=LogMasks().with_patterns(["token=[a-z]{8}"]))
        log.write(b"." * 25 + b"token=abcdefgh" + b"." * 10)
        self.assertEqual(await self.sealed(log), b"." * 25 + b"[masked]" + b"." * 10)


class Forms(MaskedLog):
    """Secrets in other forms than their own."""

    async def test_what_the_worker_s_lines_make_of_several(self) -> None:
        log = self.begin()
        log.mask("-----BEGIN KEY-----\nMIIEabcdefgh\n-----END KEY-----\n")
        log.error("cannot use -----BEGIN KEY-----\nMIIEabcdefgh\n-----END KEY-----")
        self.assertNotIn(b"MIIE", await self.sealed(log))

    async def test_a_short_secret_is_not_masked_and_the_operator_is_told(self) -> None:
        log = self.begin()
        with capturedLogs() as told:
            log.mask("12345")
        (line,) = [formatEvent(event) for event in told]
        self.assertIn("too short to be masked", line)
        self.assertNotIn("12345", line)
        log.write(b"0123456")
        self.assertEqual(await self.sealed(log), b"0123456")


class SlowWork(MaskedLog):
    """Looking for patterns."""

    def test_it_is_done_in_threads(self) -> None:
        log = self.begin(masks=LogMasks().with_patterns(["secret"]))
        jobs: list[tuple[Callable[[], object], Deferred[object]]] = []

        def run(work: Callable[[], object]) -> Deferred[object]:
            jobs.append((work, Deferred()))
            return jobs[-1][1]

        self.patch(self.threads, "run", run)
        pieces: list[bytes] = []
        log.follow(pieces.append)
        log.write(b"a secret\n")
        self.assertEqual(pieces, [])
        while jobs:
            work, done = jobs.pop()
            done.callback(work())
        self.assertEqual(pieces, [b"a [masked]\n"])
