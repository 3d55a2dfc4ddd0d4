"""What the state does not take is said, and stops nobody."""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.unwritten import or_log


class Unwritten(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)

    def hear(self, event: Any) -> None:
        self.said.append(formatEvent(event))

    def write(self, written: Deferred[None]) -> None:
        self.successResultOf(Deferred.fromCoroutine(or_log(written, "that a is gone")))

    def test_what_was_written_is_no_news(self) -> None:
        self.write(succeed(None))
        self.assertEqual(self.said, [])

    def test_a_full_disk_is_a_line(self) -> None:
        self.write(fail(OSError(28, "No space left on device", "state.db")))
        self.assertEqual(self.said, ["the worker's state did not take that a is gone: No space left on device"])

    def test_anything_else_is_shown_with_where_it_came_from(self) -> None:
        self.write(fail(sqlite3.DatabaseError("malformed")))
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.DatabaseError)), 1)

    def test_who_gives_up_is_not_kept(self) -> None:
        self.failureResultOf(Deferred.fromCoroutine(or_log(fail(CancelledError()), "x")), CancelledError)
