"""Logs that are read while they grow, over HTTP in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from io import FileIO

from twisted.internet.protocol import connectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.site import EmbeddedSite
from tcworker.server import live_log_resource
from tcworker.server.live_log import LINGER
from tcworker.server.live_log_resource import LiveLogs
from tcworker.testing.memory import MemoryLog


class Connection(StringTransport):
    """One reader's connection.

    @ivar lost: whether it is closed.
    """

    def __init__(self, site: EmbeddedSite) -> None:
        super().__init__()
        self.lost = False
        self.channel = site.buildProtocol(None)
        self.channel.makeConnection(self)

    def request(self, method: str, path: str) -> None:
        self.channel.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def loseConnection(self) -> None:
        self.abortConnection()

    def abortConnection(self) -> None:
        if not self.lost:
            self.lost = True
            self.channel.connectionLost(Failure(connectionDone.value))

    @property
    def status(self) -> int:
        return int(self.value().split()[1])

    @property
    def head(self) -> str:
        return self.value().partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self) -> bytes:
        """What came so far, chunks put together."""
        rest, body = self.value().partition(b"\r\n\r\n")[2], b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return body

    @property
    def whole(self) -> bool:
        """Whether the answer has an end."""
        return self.value().endswith(b"0\r\n\r\n")


class LiveLogsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.logs = LiveLogs(self.folder, self.reactor)
        self.site = EmbeddedSite(self.logs, self.folder, self.reactor)
        self.log = MemoryLog(self.reactor)
        self.path = self.logs.open(self.log.follow)
        self.addCleanup(self.finish)

    def finish(self) -> None:
        self.logs.stop()
        for channel in list(self.site.channels):
            channel.transport.abortConnection()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def read(self, path: str | None = None, method: str = "GET") -> Connection:
        connection = Connection(self.site)
        connection.request(method, path or self.path)
        return connection


class AReader(LiveLogsCase):
    def test_gets_what_there_is_and_what_comes(self) -> None:
        self.log.write(b"one\n")
        reader = self.read()
        self.assertEqual((reader.status, reader.body), (200, b"one\n"))
        self.log.write(b"two\n")
        self.assertEqual(reader.body, b"one\ntwo\n")
        self.assertFalse(reader.whole)

    def test_gets_the_head_before_there_is_a_log(self) -> None:
        self.assertEqual(self.read().status, 200)

    def test_comes_to_an_end_with_the_log(self) -> None:
        reader = self.read()
        self.log.write(b"all\n")
        self.log.seal()
        self.assertEqual((reader.body, reader.whole), (b"all\n", True))

    def test_gets_all_of_a_log_that_has_just_ended(self) -> None:
        self.read()
        self.log.write(b"all\n")
        self.log.seal()
        self.assertEqual(self.read().body, b"all\n")
        self.assertTrue(self.read().whole)

    def test_is_one_of_several(self) -> None:
        first = self.read()
        self.log.write(b"one\n")
        second = self.read()
        self.log.write(b"two\n")
        self.assertEqual([first.body, second.body], [b"one\ntwo\n"] * 2)

    def test_may_go_and_leave_the_others(self) -> None:
        leaving, staying = self.read(), self.read()
        leaving.abortConnection()
        self.log.write(b"one\n")
        self.assertEqual((leaving.body, staying.body), (b"", b"one\n"))

    def test_finds_nothing_after_the_run(self) -> None:
        self.logs.close(self.path)
        self.assertEqual(self.read().status, 404)

    def test_gets_no_more_of_a_log_that_was_dropped(self) -> None:
        reader = self.read()
        self.log.write(b"one\n")
        self.logs.close(self.path)
        self.log.write(b"two\n")
        self.assertEqual((reader.body, reader.whole), (b"one\n", True))


class ASlowReader(LiveLogsCase):
    def slow_reader(self) -> Connection:
        reader = self.read()
        reader.channel.pauseProducing()
        return reader

    def test_is_sent_nothing_until_he_takes_it(self) -> None:
        reader, fast = self.slow_reader(), self.read()
        self.log.write(b"x" * 300_000)
        self.assertEqual((len(reader.body), len(fast.body)), (0, 300_000))
        reader.channel.resumeProducing()
        self.assertEqual(len(reader.body), 300_000)

    def test_gets_the_rest_after_the_end_of_the_run(self) -> None:
        reader = self.slow_reader()
        self.log.write(b"late\n")
        self.log.seal()
        self.logs.close(self.path)
        self.assertFalse(reader.whole)
        reader.channel.resumeProducing()
        self.assertEqual((reader.body, reader.whole), (b"late\n", True))

    def test_is_cut_when_he_takes_too_long(self) -> None:
        reader = self.slow_reader()
        self.log.write(b"late\n")
        self.logs.close(self.path)
        self.reactor.advance(LINGER)
        self.assertTrue(reader.lost)

    def test_is_cut_when_the_server_ends(self) -> None:
        reader, closing = self.slow_reader(), self.slow_reader()
        self.log.write(b"late\n")
        self.logs.stop()
        self.assertEqual([reader.lost, closing.lost], [True, True])


class TheAddress(LiveLogsCase):
    def test_cannot_be_guessed(self) -> None:
        other = self.logs.open(self.log.follow)
        self.assertNotEqual(self.path, other)
        self.assertGreater(len(self.path), 40)
        for path in ("/live/", "/live/x", self.path[:-1], self.path + "x"):
            self.assertEqual(self.read(path).status, 404, path)

    def test_shows_text_that_acts_for_nobody_and_any_page_may_read(self) -> None:
        self.log.write(b"<script>alert(1)</script>")
        head = self.read().head
        for line in (
            "Content-Type: text/plain; charset=utf-8",
            "Content-Security-Policy: sandbox",
            "X-Content-Type-Options: nosniff",
            "Access-Control-Allow-Origin: *",
        ):
            self.assertIn(line, head)

    def test_is_for_reading(self) -> None:
        self.assertEqual([self.read(method=method).status for method in ("PUT", "POST", "DELETE")], [405] * 3)
        self.assertEqual(self.read(method="OPTIONS").status, 204)

    def test_has_a_head_of_its_own(self) -> None:
        self.log.write(b"one\n")
        answer = self.read(method="HEAD")
        self.assertEqual((answer.status, answer.body), (200, b""))


class Limits(LiveLogsCase):
    def test_there_are_not_more_readers_than_the_server_can_bear(self) -> None:
        self.patch(live_log_resource, "MOST_READERS", 2)
        other = self.logs.open(self.log.follow)
        readers = [self.read(), self.read(other), self.read(other)]
        self.assertEqual([reader.status for reader in readers], [200, 200, 503])
        readers[0].abortConnection()
        self.assertEqual(self.read().status, 200)

    def test_a_log_that_nobody_reads_is_not_even_followed(self) -> None:
        followed: list[object] = []

        def follow(call: Callable[[bytes], None]) -> Callable[[], None]:
            followed.append(call)
            return lambda: None

        path = self.logs.open(follow)
        self.assertEqual(followed, [])
        for _ in range(2):
            self.read(path)
        self.assertEqual(len(followed), 1)

    def test_without_room_for_a_copy_there_is_an_answer(self) -> None:
        os.rmdir(self.folder)
        self.assertEqual(self.read().status, 503)
        os.mkdir(self.folder)

    def test_a_disk_that_is_full_cuts_who_reads(self) -> None:
        calls: list[Callable[[bytes], None]] = []

        def follow(call: Callable[[bytes], None]) -> Callable[[], None]:
            calls.append(call)
            return lambda: None

        self.patch(tempfile, "TemporaryFile", lambda buffering, dir: FileIO("/dev/full", "w"))
        reader = self.read(self.logs.open(follow))
        # The log takes a follower that fails off its list.
        self.assertRaises(OSError, calls[0], b"a line")
        self.assertTrue(reader.lost)
