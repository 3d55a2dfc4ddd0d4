"""What every L{ITaskLog} must do, the worker's own and those that tests use in its place.

Mix L{LogSuite} into a test case of trial and fill in its first three methods.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from tcworker.interfaces import ILentLog, ITaskLog
from tcworker.waiting import pause

if TYPE_CHECKING:
    Base = TestCase
else:
    # Were the suite itself a TestCase, trial would run it wherever it is imported.
    Base = object

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class LogSuite(Base):
    """The worker's lines and the task's output, whoever writes them, in order.

    @cvar reactor: what the log waits by.
    """

    reactor: IReactorTime
    timeout = 30

    def new_log(self) -> ITaskLog:
        """Make a log, which the test case disposes itself."""
        raise NotImplementedError

    def mask(self, log: ITaskLog, secret: str) -> None:
        """Mask a secret in a log."""
        raise NotImplementedError

    def seal(self, log: ITaskLog) -> Deferred[object]:
        """Let nothing more come."""
        raise NotImplementedError

    async def test_lines_of_the_worker(self) -> None:
        """Each line of a message has its own prefix."""
        log = self.new_log()
        log.info("one\ntwo")
        log.warn("three")
        log.error("four")
        lines = (await self.whole(log)).splitlines()
        self.assertRegex(lines[0], rf"^\[taskcluster {TIME}\] one$")
        self.assertRegex(lines[1], rf"^\[taskcluster {TIME}\] two$")
        self.assertRegex(lines[2], rf"^\[taskcluster:warn {TIME}\] three$")
        self.assertEqual(lines[3:], ["[taskcluster:error] four"])

    async def test_output_of_the_task(self) -> None:
        """As it was printed, byte by byte, between the lines of the worker."""
        log = self.new_log()
        log.error("before")
        log.write(b"printed\n\n")
        log.error("after")
        self.assertEqual(await self.whole(log), "[taskcluster:error] before\nprinted\n\n[taskcluster:error] after\n")

    async def test_when_the_task_last_printed(self) -> None:
        """Whoever writes it; the worker's own lines do not count."""
        log = self.new_log()
        log.write(b"12345\n")
        first = log.last_printed()
        self.assertLessEqual(first, self.reactor.seconds())
        await pause(self.reactor, 0.01)
        log.info("a line of the worker")
        self.assertEqual(log.last_printed(), first)
        lent = log.lend(lambda _: None)
        os.write(lent.descriptor, b"678")
        self.assertGreater(log.last_printed(), first)
        lent.give_back()

    async def test_follow_while_it_grows(self) -> None:
        """From the beginning, however late somebody comes; nothing after they have gone."""
        log = self.new_log()
        log.write(b"early\n")
        pieces: list[bytes] = []
        stop = log.follow(pieces.append)
        await self.until(lambda: b"".join(pieces) == b"early\n")
        log.write(b"late\n")
        await self.until(lambda: b"".join(pieces) == b"early\nlate\n")
        stop()
        stop()
        log.write(b"too late\n")
        await self.seal(log)
        self.assertEqual(b"".join(pieces), b"early\nlate\n")

    async def test_follow_to_the_end(self) -> None:
        """An empty piece, once, is the end; also for those who come after it."""
        log = self.new_log()
        before: list[bytes] = []
        log.follow(before.append)
        log.write(b"all\n")
        await self.seal(log)
        after: list[bytes] = []
        log.follow(after.append)
        await self.until(lambda: before[-1:] == [b""] and after[-1:] == [b""])
        for pieces in (before, after):
            self.assertEqual((b"".join(pieces), pieces.count(b"")), (b"all\n", 1))

    async def test_masked_secrets(self) -> None:
        """Of the task and of the worker, printed before the secret was known and later."""
        log = self.new_log()
        log.write(b"hunter2 is printed\n")
        self.mask(log, "hunter2")
        log.error("hunter2 is said")
        text = await self.whole(log)
        self.assertNotIn("hunter2", text)
        self.assertIn(" is printed\n", text)
        self.assertIn(" is said\n", text)

    async def test_lent_to_another_process(self) -> None:
        """What is written to the file comes after all that was there, and those who follow see it."""
        log = self.new_log()
        log.write(b"before\n")
        pieces: list[bytes] = []
        log.follow(pieces.append)
        lent = log.lend(lambda _: None)
        os.write(lent.descriptor, b"by another\n")
        await self.until(lambda: b"".join(pieces) == b"before\nby another\n")
        lent.give_back()
        lent.give_back()
        log.write(b"after\n")
        self.assertEqual(await self.whole(log), "before\nby another\nafter\n")

    async def test_lines_of_the_worker_while_it_is_lent(self) -> None:
        """Go to whoever writes, so that nothing is torn apart."""
        log = self.new_log()
        lent: list[ILentLog] = []
        lent.append(log.lend(lambda data: _write(lent[0], data)))
        os.write(lent[0].descriptor, b"by another\n")
        log.error("by the worker")
        os.write(lent[0].descriptor, b"by another again\n")
        lent[0].give_back()
        expected = "by another\n[taskcluster:error] by the worker\nby another again\n"
        self.assertEqual(await self.whole(log), expected)

    async def whole(self, log: ITaskLog) -> str:
        """Seal a log, and give all of it."""
        await self.seal(log)
        pieces: list[bytes] = []
        log.follow(pieces.append)
        await self.until(lambda: pieces[-1:] == [b""])
        return b"".join(pieces).decode()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true; the test's own time limit ends it."""
        while not true():
            await pause(self.reactor, 0.01)


def _write(lent: ILentLog, data: bytes) -> None:
    os.write(lent.descriptor, data)
