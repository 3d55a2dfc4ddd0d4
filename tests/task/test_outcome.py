"""What several failures come to."""

from __future__ import annotations

import errno
import os
import sqlite3
from itertools import pairwise

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import (
    CallFailed,
    Cause,
    IntermittentTask,
    InternalError,
    MalformedPayload,
    NamingConflict,
    ResourceUnavailable,
    TaskError,
    TaskFailed,
    Unreachable,
    WorkerShutdown,
)
from tcworker.task.outcome import as_task_error, join

GRAVEST_FIRST = (
    InternalError,
    WorkerShutdown,
    ResourceUnavailable,
    MalformedPayload,
    IntermittentTask,
    TaskFailed,
)


class Joining(SynchronousTestCase):
    """Several errors of one stage."""

    def joined(self, *errors: TaskError) -> TaskError:
        error = join(errors)
        assert error is not None
        return error

    def test_nothing_comes_to_nothing(self) -> None:
        self.assertIsNone(join([]))

    def test_one_stays_as_it_is(self) -> None:
        error = NamingConflict("two of a name")
        self.assertIs(join([error]), error)

    def test_the_gravest_wins_in_whatever_order_they_come(self) -> None:
        for grave, lighter in pairwise(GRAVEST_FIRST):
            for errors in ([grave("grave"), lighter("light")], [lighter("light"), grave("grave")]):
                joined = self.joined(*errors)
                self.assertEqual((type(joined), joined.messages), (grave, ("grave",)))

    def test_all_messages_of_the_gravest_kind_are_kept_each_once(self) -> None:
        joined = self.joined(
            MalformedPayload("one", "two"), TaskFailed("light"), NamingConflict("three"), MalformedPayload("two")
        )
        self.assertEqual((type(joined), joined.messages), (MalformedPayload, ("one", "two", "three")))

    def test_what_caused_the_first_of_them_caused_all(self) -> None:
        for kind in (ResourceUnavailable, InternalError):
            first = kind("a", cause=Cause.CACHE, evidence={"cache": "npm"})
            joined = self.joined(TaskFailed("light"), first, kind("b"))
            self.assertEqual((joined.cause, joined.evidence), (Cause.CACHE, {"cache": "npm"}))

    def test_a_worker_that_is_suspect_stays_so(self) -> None:
        joined = self.joined(InternalError("a"), InternalError("b", fatal=True))
        assert isinstance(joined, InternalError)
        self.assertEqual((joined.messages, joined.fatal), (("a", "b"), True))
        self.assertFalse(getattr(self.joined(InternalError("a"), InternalError("b")), "fatal", None))

    def test_a_kind_that_somebody_else_made(self) -> None:
        error = TaskError("of its own kind")
        self.assertIs(join([error]), error)


class Unforeseen(SynchronousTestCase):
    """A failure that may be anything."""

    def error(self, exception: Exception) -> TaskError:
        return as_task_error(Failure(exception), "task/0", "testing")

    def test_an_error_of_a_run_says_itself_what_it_means(self) -> None:
        error = TaskFailed("no")
        self.assertIs(self.error(error), error)

    def test_taskcluster_being_away_is_nobody_s_fault(self) -> None:
        error = self.error(Unreachable("status", "no answer"))
        self.assertEqual((error.reason, error.cause), ("resource-unavailable", Cause.TASKCLUSTER_AWAY))
        self.assertEqual(error.evidence, {"what": "status", "error": "no answer"})

    def test_a_broken_disk_is_the_worker_s_fault_and_known(self) -> None:
        """Nobody needs a traceback for it."""
        for number in (errno.EIO, errno.EROFS):
            failure = Failure(OSError(number, os.strerror(number), "/caches/c"))
            error = as_task_error(failure, "run", "mounting build")
            self.assertIsInstance(error, InternalError)
            self.assertTrue(
                str(error).startswith(f"mounting build: /caches/c: {os.strerror(number)}. The worker needs")
            )
            self.assertEqual(error.evidence, {"path": "/caches/c", "error": os.strerror(number)})

    def test_a_full_disk_is_told_by_what_is_on_it(self) -> None:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        for exception, path in ((OSError(errno.ENOSPC, "No space", "/x"), "/x"), (full, "the worker's state")):
            error = self.error(exception)
            self.assertEqual((error.reason, error.cause), ("resource-unavailable", Cause.NO_DISK))
            self.assertEqual(error.evidence["path"], path)

    def test_the_first_failure_of_several_is_the_one_that_counts(self) -> None:
        error = ResourceUnavailable("no room")
        inner = gatherResults([fail(error)], consumeErrors=True)
        several = gatherResults([Deferred(), inner], consumeErrors=True)
        self.assertIs(as_task_error(self.failureResultOf(several), "task/0", "testing"), error)

    def test_anything_else_is_an_incident_whose_words_stay_in_the_worker_s_log(self) -> None:
        for exception in (ValueError("the password is x"), CallFailed("status", 403, "InsufficientScopes", "no")):
            error = self.error(exception)
            self.assertEqual((error.state, error.reason), ("exception", "internal-error"))
            self.assertNotIn("password", str(error))
            self.assertEqual(error.cause, Cause.WORKER_FAULT)
            self.assertIn(error.evidence["incident"], str(error))
            self.assertEqual(len(self.flushLoggedErrors(type(exception))), 1)
