"""When requests to purge caches are looked for, and what tasks wait for."""

from __future__ import annotations

import random

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.purging import AGAIN, JITTER, LOOK_EVERY, REFUSED_SECONDS, PurgeService
from tcworker.errors import CallFailed, Unreachable


class FakeRequests:
    """Waits until the test says how each look ends.

    @ivar looks: those that have begun.
    """

    def __init__(self) -> None:
        self.looks: list[Deferred[None]] = []

    def heed(self) -> Deferred[None]:
        look: Deferred[None] = Deferred()
        self.looks.append(look)
        return look


class PurgingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.requests = FakeRequests()
        self.service = PurgeService(self.clock, self.requests, "a/b")
        self.service.startService()
        self.addCleanup(self.finish)
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def finish(self) -> None:
        if self.service.running:
            self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @property
    def count(self) -> int:
        return len(self.requests.looks)

    def end_look(self) -> None:
        self.requests.looks[-1].callback(None)

    def fail_look(self, error: Exception) -> None:
        self.requests.looks[-1].errback(error)

    def warnings(self) -> list[str]:
        return [formatEvent(event) or "" for event in self.events if event["log_level"].name == "warn"]


class BeforeATask(PurgingCase):
    def test_it_waits_for_the_look(self) -> None:
        looked = self.service.look()
        self.assertNoResult(looked)
        self.end_look()
        self.successResultOf(looked)

    def test_a_look_that_began_before_is_not_enough(self) -> None:
        self.service.look()
        second, third = self.service.look(), self.service.look()
        self.end_look()
        self.assertNoResult(second)
        self.end_look()
        self.successResultOf(second)
        self.successResultOf(third)
        self.assertEqual(self.count, 2)

    def test_one_after_the_other(self) -> None:
        for count in (1, 2, 3):
            looked = self.service.look()
            self.end_look()
            self.successResultOf(looked)
            self.assertEqual(self.count, count)

    def test_one_that_goes_takes_nothing_from_the_others(self) -> None:
        first, second = self.service.look(), self.service.look()
        for looked in (first, second):
            looked.cancel()
            self.failureResultOf(looked)
        third = self.service.look()
        self.end_look()
        self.end_look()
        self.successResultOf(third)

    def test_it_goes_on_when_the_worker_ends(self) -> None:
        first, second = self.service.look(), self.service.look()
        self.successResultOf(self.service.stopService())
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.service.look())
        self.assertEqual(self.count, 1)


class Workers(SynchronousTestCase):
    def test_of_one_pool_do_not_look_all_at_once(self) -> None:
        requests = FakeRequests()
        for spread, first in ((0.0, LOOK_EVERY * (1 - JITTER)), (1.0, LOOK_EVERY)):
            self.patch(random, "uniform", lambda low, high, spread=spread: low + spread * (high - low))
            clock = Clock()
            service = PurgeService(clock, requests, "a/b")
            service.startService()
            clock.advance(first - 1)
            self.assertEqual(requests.looks, [])
            clock.advance(1)
            self.assertEqual(len(requests.looks), 1)
            self.successResultOf(service.stopService())
            requests.looks.clear()


class NowAndThen(PurgingCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(self.requests, "heed", self.look_at_once)

    def look_at_once(self) -> Deferred[None]:
        self.requests.looks.append(succeed(None))
        return succeed(None)

    def test_every_ten_minutes(self) -> None:
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.count, 1)
        self.clock.pump([60] * 600)
        self.assertTrue(60 <= self.count <= 81, self.count)

    def test_no_more_after_the_end(self) -> None:
        self.successResultOf(self.service.stopService())
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.count, 0)


class Outages(PurgingCase):
    def test_tasks_use_their_caches_all_the_same(self) -> None:
        looked = self.service.look()
        self.fail_look(Unreachable("purgeRequests", "connection refused"))
        self.successResultOf(looked)
        self.assertEqual(
            self.warnings(),
            ["nobody says which caches to purge, and they are used as they are: purgeRequests: connection refused"],
        )

    def test_the_next_tasks_do_not_wait_for_it(self) -> None:
        for error in (Unreachable("purgeRequests", "no"), ValueError("there is no requests")):
            count = self.count + 1
            self.service.look()
            joined = self.service.look()
            self.fail_look(error)
            self.successResultOf(joined)
            self.successResultOf(self.service.look())
            self.assertEqual(self.count, count)
            self.clock.advance(AGAIN)

    def test_it_is_asked_again_after_a_minute(self) -> None:
        self.service.look()
        self.fail_look(Unreachable("purgeRequests", "no"))
        self.clock.advance(AGAIN)
        looked = self.service.look()
        self.assertNoResult(looked)
        self.end_look()
        self.successResultOf(looked)

    def test_each_is_told_once(self) -> None:
        for _ in range(2):
            for _ in range(3):
                self.service.look()
                self.fail_look(Unreachable("purgeRequests", "no"))
                self.clock.advance(AGAIN)
            self.service.look()
            self.end_look()
        self.assertEqual(len(self.warnings()), 2)

    def test_a_worker_that_may_not_ask_is_told_what_it_needs(self) -> None:
        self.service.look()
        self.fail_look(CallFailed("purgeRequests", 403, "InsufficientScopes", "no"))
        self.assertIn("no (the worker's client needs purge-cache:purge-requests::a/b)", self.warnings()[0])
        self.clock.advance(AGAIN)
        self.successResultOf(self.service.look())
        self.assertEqual(self.count, 1)
        self.clock.advance(REFUSED_SECONDS)
        self.service.look()
        self.assertEqual(self.count, 2)

    def test_what_cannot_be_purged_is_told(self) -> None:
        looked = self.service.look()
        self.fail_look(OSError("the disk is full"))
        self.successResultOf(looked)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertNoResult(self.service.look())
