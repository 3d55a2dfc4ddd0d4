"""How many files are in hand, and what becomes of those who wait for a hand."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.artifacts.hands import Hands


class TwoHands(SynchronousTestCase):
    """Work that ends when the test says so.

    @ivar begun: what is being done, by the order in which it was begun.
    """

    def setUp(self) -> None:
        self.hands = Hands(2)
        self.begun: list[Deferred[None]] = []

    def take(self) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.hands.take())

    def idle(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.hands.idle())

    def begin(self) -> None:
        """Take a hand that is free, and do something with it."""
        self.assertTrue(self.successResultOf(self.take()))
        self.hands.work(self.work())

    def work(self) -> Coroutine[Deferred[Any], Any, None]:
        done: Deferred[None] = Deferred()
        self.begun.append(done)

        async def wait() -> None:
            await done

        return wait()

    def test_a_third_waits_until_work_has_ended_well_or_not(self) -> None:
        for outcome in (None, ValueError("no such file")):
            self.setUp()
            self.begin()
            self.begin()
            third = self.take()
            self.assertNoResult(third)
            (self.begun[1].callback if outcome is None else self.begun[1].errback)(outcome)
            self.assertTrue(self.successResultOf(third))
            self.assertEqual([failure.value for failure in self.hands.failures], [outcome] if outcome else [])

    def test_a_hand_that_nothing_is_done_with_is_somebody_else_s(self) -> None:
        self.begin()
        self.assertTrue(self.successResultOf(self.take()))
        third = self.take()
        self.hands.let_go()
        self.assertTrue(self.successResultOf(third))

    def test_once_closed_nobody_gets_one_but_what_is_begun_goes_on(self) -> None:
        self.begin()
        self.begin()
        waiting = self.take()
        self.hands.close()
        self.assertFalse(self.successResultOf(waiting))
        self.begun[0].callback(None)
        self.assertFalse(self.successResultOf(self.take()))
        self.assertFalse(self.begun[1].called)

    def test_whoever_is_cancelled_while_it_waits_takes_none(self) -> None:
        self.begin()
        self.begin()
        waiting, next_one = self.take(), self.take()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.begun[0].callback(None)
        self.assertTrue(self.successResultOf(next_one))

    def test_they_are_idle_when_the_last_work_has_ended(self) -> None:
        self.successResultOf(self.idle())
        self.begin()
        self.begin()
        idle = self.idle()
        self.begun[0].callback(None)
        self.assertNoResult(idle)
        self.begun[1].callback(None)
        self.successResultOf(idle)

    def test_they_are_not_while_what_waited_begins(self) -> None:
        self.begin()
        self.begin()
        self.take().addCallback(lambda _: self.hands.work(self.work()))
        idle = self.idle()
        for done in self.begun[:2]:
            done.callback(None)
        self.assertNoResult(idle)
        self.begun[2].callback(None)
        self.successResultOf(idle)

    def test_stopping_ends_all_work(self) -> None:
        self.begin()
        self.begin()
        self.successResultOf(Deferred.fromCoroutine(self.hands.stop()))
        self.assertEqual([bool(failure.check(CancelledError)) for failure in self.hands.failures], [True, True])
        self.successResultOf(self.idle())
