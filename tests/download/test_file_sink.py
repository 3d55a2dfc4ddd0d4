from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tcworker.download.file_sink import FileSink
from tcworker.errors import Cause, ResourceUnavailable


class Hands:
    """Threads that work when they are told to.

    @ivar waiting: jobs that were not told yet, C{None} for doing all at once.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[[], Any]]] | None = None

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if self.waiting is None:
            return succeed(None).addCallback(lambda _: work(*args))
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, lambda: work(*args)))
        return done

    def work(self) -> None:
        assert self.waiting is not None
        done, work = self.waiting.pop(0)
        done.callback(work())


def _cancelled(waiting: Deferred[None]) -> Deferred[None]:
    waiting.cancel()
    return waiting


class FileSinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.hands = Hands()
        self.sink = FileSink(str(self.path), self.hands)

    def open_descriptors(self) -> int:
        return sum(os.readlink(f"/proc/self/fd/{name}") == str(self.path.absolute()) for name in self.names())

    def names(self) -> list[str]:
        return [name for name in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{name}")]

    def test_what_comes_is_in_a_file_for_the_worker_alone(self) -> None:
        self.successResultOf(self.sink.begin(10))
        for piece in (b"hello", b"world"):
            self.successResultOf(self.sink.write(piece))
        self.successResultOf(self.sink.finish())
        self.assertEqual(self.path.read_bytes(), b"helloworld")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.open_descriptors(), 0)

    def test_begun_anew_all_before_is_void(self) -> None:
        for piece in (b"a long beginning", b"short"):
            self.successResultOf(self.sink.begin(None))
            self.successResultOf(self.sink.write(piece))
        self.successResultOf(self.sink.finish())
        self.assertEqual(self.path.read_bytes(), b"short")

    def test_nothing_that_is_there_is_overwritten(self) -> None:
        self.path.write_bytes(b"else")
        self.failureResultOf(self.sink.begin(1), ResourceUnavailable)
        self.assertEqual(self.path.read_bytes(), b"else")

    def test_a_full_disk_is_told_as_such(self) -> None:
        sink = FileSink("/dev/full", self.hands)
        sink._descriptor = os.open("/dev/full", os.O_WRONLY)
        error = self.failureResultOf(sink.write(b"x"), ResourceUnavailable).value
        self.assertEqual((error.cause, error.evidence["error"]), (Cause.NO_DISK, "No space left on device"))
        self.successResultOf(sink.abandon())

    def test_abandoned_it_waits_for_what_is_under_way(self) -> None:
        self.successResultOf(self.sink.begin(1))
        self.hands.waiting = []
        writing = self.sink.write(b"x")
        writing.cancel()
        self.failureResultOf(writing, CancelledError)
        abandoning = self.sink.abandon()
        self.assertNoResult(abandoning)
        self.assertEqual((self.open_descriptors(), len(self.hands.waiting)), (1, 1))
        self.hands.work()
        # A disk may take its time to close a file, too.
        self.assertNoResult(abandoning)
        self.assertEqual(self.open_descriptors(), 1)
        self.hands.work()
        self.successResultOf(abandoning)
        self.assertEqual(self.open_descriptors(), 0)

    def test_abandoned_it_does_not_fail_for_a_file_that_cannot_be_closed(self) -> None:
        self.successResultOf(self.sink.begin(1))
        opened = self.sink._opened
        os.close(opened)
        self.successResultOf(self.sink.abandon())

    def test_abandoned_while_it_is_opened_it_leaves_nothing_open(self) -> None:
        self.hands.waiting = []
        self.failureResultOf(_cancelled(self.sink.begin(1)), CancelledError)
        abandoning = self.sink.abandon()
        for _ in range(2):
            self.assertNoResult(abandoning)
            self.hands.work()
        self.successResultOf(abandoning)
        self.assertEqual(self.open_descriptors(), 0)

    def test_it_can_be_abandoned_before_it_began_after_it_ended_and_twice(self) -> None:
        self.successResultOf(self.sink.abandon())
        self.successResultOf(self.sink.begin(1))
        self.successResultOf(self.sink.finish())
        for _ in range(2):
            self.successResultOf(self.sink.abandon())
