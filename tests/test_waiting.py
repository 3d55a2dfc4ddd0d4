"""One-shot results, loose work and dates."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.waiting import Loose, OneShot, now, pause


class OneShots(SynchronousTestCase):
    """A result that comes once."""

    def setUp(self) -> None:
        self.shot: OneShot[int] = OneShot()

    def test_everybody_gets_it_whenever_they_ask(self) -> None:
        early = self.shot.wait()
        self.assertFalse(self.shot.fired)
        self.shot.succeed(1)
        self.assertTrue(self.shot.fired)
        self.assertEqual([self.successResultOf(waiter) for waiter in (early, self.shot.wait())], [1, 1])

    def test_the_first_one_wins(self) -> None:
        self.shot.fail(ValueError("first"))
        self.shot.succeed(2)
        self.shot.settle(3)
        self.failureResultOf(self.shot.wait(), ValueError)

    def test_it_takes_whatever_a_deferred_comes_to(self) -> None:
        for shot, end in ((OneShot[int](), lambda d: d.callback(1)), (self.shot, lambda d: d.errback(ValueError()))):
            work: Deferred[int] = Deferred()
            work.addBoth(shot.settle)
            end(work)
            self.assertIsNone(self.successResultOf(work))
        self.failureResultOf(self.shot.wait(), ValueError)

    def test_no_waiter_changes_what_another_gets(self) -> None:
        first, second = self.shot.wait(), self.shot.wait()
        first.addCallback(lambda _: 1 / 0)
        self.shot.succeed(1)
        self.failureResultOf(first, ZeroDivisionError)
        self.assertEqual(self.successResultOf(second), 1)

    def test_who_gives_up_leaves_the_others_alone(self) -> None:
        first, second = self.shot.wait(), self.shot.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.shot.succeed(1)
        self.assertEqual(self.successResultOf(second), 1)


class LooseWork(SynchronousTestCase):
    """What nobody awaits."""

    def setUp(self) -> None:
        self.loose = Loose(Logger())

    def test_its_failure_is_logged_and_its_end_waited_for(self) -> None:
        work: Deferred[None] = Deferred()
        self.loose.run(work, "working")
        ended = self.loose.wait()
        self.assertNoResult(ended)
        work.errback(Failure(ValueError("no")))
        self.successResultOf(ended)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_to_be_cancelled_is_no_failure(self) -> None:
        self.loose.run(Deferred(), "working")
        self.successResultOf(self.loose.cancel())

    def test_what_is_to_be_finished_is_whoever_gives_up(self) -> None:
        loose, work = Loose(Logger()), Deferred[int]()
        finished: list[int] = []

        async def keep() -> int:
            finished.append(await work)
            return 1

        caller = Deferred.fromCoroutine(loose.finish(keep(), "keeping"))
        ended = loose.wait()
        caller.cancel()
        self.failureResultOf(caller, CancelledError)
        self.assertNoResult(ended)
        work.callback(5)
        self.successResultOf(ended)
        self.assertEqual(finished, [5])

    def test_its_failure_is_told_to_who_waits_else_logged(self) -> None:
        loose = Loose(Logger())
        for gives_up in (False, True):
            work: Deferred[None] = Deferred()

            async def fail(work: Deferred[None] = work) -> None:
                await work

            caller = Deferred.fromCoroutine(loose.finish(fail(), "keeping"))
            if gives_up:
                caller.cancel()
            work.errback(OSError("disk"))
            self.failureResultOf(caller, CancelledError if gives_up else OSError)
            self.assertEqual(len(self.flushLoggedErrors(OSError)), int(gives_up))


class Times(SynchronousTestCase):
    """By the clock that is handed in."""

    def test_what_time_it_is(self) -> None:
        clock = Clock()
        clock.advance(1000)
        self.assertEqual(now(clock), datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC))

    def test_a_pause_that_is_cancelled_leaves_no_timer(self) -> None:
        clock = Clock()
        waiting = pause(clock, 5)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(clock.getDelayedCalls(), [])
