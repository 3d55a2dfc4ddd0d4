"""Keeping a claim: in time, through outages, and noticing when it is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tcworker.errors import CallFailed
from tcworker.interfaces import Credentials
from tcworker.task.keeper import ANSWER_SECONDS, ClaimKeeper
from tcworker.task.resolution import CANCELED, CLAIM_LOST, DEADLINE_EXCEEDED, WORKER_SHUTDOWN, Resolution
from tcworker.testing.facilities import FakeFacilities
from tcworker.waiting import now


class Keeping(TestCase):
    """A claim of 1,200 seconds on a clock of the test's own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.facilities = FakeFacilities(self.clock, self.mktemp())
        self.queue = self.facilities.queue
        self.ended: list[Resolution] = []
        self.credentials: list[str] = []
        self.keep(1200)

    def keep(self, seconds: float) -> None:
        self.keeper = ClaimKeeper(
            self.facilities.claim(seconds=seconds),
            self.queue,
            self.clock,
            self.facilities.time,
            renewed=self.renewed,
            ended=self.ended.append,
        )
        self.keeper.start()
        self.addCleanup(lambda keeper=self.keeper: keeper.stop())

    def renewed(self, credentials: Credentials, taken_until: Any) -> Deferred[None]:
        self.credentials.append(credentials.access_token)
        return succeed(None)

    def say_status(self, **run: Any) -> None:
        self.queue.answer("status", {"status": {"runs": [{"runId": 0, "state": "exception", **run}]}})

    def waiting(self) -> int:
        return len(self.queue.waiting("reclaim_task"))

    def test_a_long_claim_is_renewed_three_minutes_before_its_end(self) -> None:
        self.clock.advance(1019)
        self.assertEqual(self.waiting(), 0)
        self.clock.advance(1)
        self.assertEqual(self.waiting(), 1)

    def test_a_short_claim_is_renewed_at_half_of_its_time(self) -> None:
        self.keeper.stop()
        self.keep(100)
        self.clock.advance(49)
        self.assertEqual(self.waiting(), 0)
        self.clock.advance(1)
        self.assertEqual(self.waiting(), 1)

    def test_each_renewal_brings_new_credentials_and_another_renewal(self) -> None:
        for count in (1, 2, 3):
            self.clock.advance(1020)
            self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
            self.assertEqual(self.credentials, ["next"] * count)
            self.assertEqual(self.keeper.taken_until, now(self.clock) + timedelta(seconds=1200))
        self.assertEqual(self.ended, [])

    def test_an_outage_is_sat_out_with_growing_pauses(self) -> None:
        self.clock.advance(1020)
        for seconds in (1, 2, 4, 8, 16, 30, 30):
            self.queue.lose("reclaim_task")
            self.assertEqual(self.waiting(), 0)
            self.clock.advance(seconds)
            self.assertEqual(self.waiting(), 1)
        self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
        self.assertEqual((self.credentials, self.ended), (["next"], []))

    def test_an_error_of_the_server_is_an_outage_too(self) -> None:
        self.clock.advance(1020)
        self.queue.fail("reclaim_task", CallFailed("reclaimTask", 500, "InternalServerError", "sorry"))
        self.clock.advance(1)
        self.assertEqual((self.waiting(), self.ended), (1, []))

    def test_an_outage_that_lasts_longer_than_the_claim_loses_it(self) -> None:
        self.queue.always("reclaim_task", CallFailed("reclaimTask", 503, "", "away"))
        self.clock.pump([1.0] * 1199)
        self.assertEqual(self.ended, [])
        self.clock.advance(2)
        self.assertEqual(self.ended, [CLAIM_LOST])

    def test_a_queue_that_does_not_answer_loses_it_in_time(self) -> None:
        self.clock.pump([1.0] * 1200)
        self.assertEqual((self.ended, len(self.queue.made("reclaim_task"))), ([CLAIM_LOST], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_conflict_is_looked_up(self) -> None:
        for reason, expected in {
            "canceled": CANCELED,
            "deadline-exceeded": DEADLINE_EXCEEDED,
            "claim-expired": CLAIM_LOST,
            "worker-shutdown": WORKER_SHUTDOWN,
        }.items():
            self.setUp()
            self.clock.advance(1020)
            self.queue.refuse("reclaim_task")
            self.say_status(reasonResolved=reason)
            self.assertEqual(self.ended, [expected])

    def test_a_conflict_that_cannot_be_looked_up_counts_as_cancelled(self) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task")
        self.queue.refuse("status", 403, "InsufficientScopes")
        self.assertEqual(self.ended, [CANCELED])

    def test_a_conflict_whose_reason_does_not_come_is_not_waited_for(self) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task")
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual(self.ended, [CANCELED])

    def test_a_conflict_and_a_status_without_sense(self) -> None:
        for status in (None, [], {"status": {"runs": []}}, {"status": {"runs": [7]}}, {"status": {"runs": {"0": {}}}}):
            self.setUp()
            self.clock.advance(1020)
            self.queue.refuse("reclaim_task")
            self.queue.waiting("status")[0].answer.callback(status)
            self.assertEqual(self.ended, [CANCELED])

    def test_a_conflict_about_a_run_that_goes_on_is_none(self) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task")
        self.say_status(state="running")
        self.assertEqual(self.ended, [])
        self.clock.advance(1)
        self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
        self.assertEqual((self.ended, self.credentials), ([], ["next"]))

    def test_what_says_409_but_is_not_the_queue_ends_nothing(self) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task", 409, "")
        self.clock.advance(1)
        self.assertEqual((self.waiting(), self.ended), (1, []))

    def test_an_answer_without_sense_is_asked_for_again(self) -> None:
        self.clock.advance(1020)
        good = self.facilities.reclaim_answer()
        for answer in (None, [], {"takenUntil": "soon"}, {**good, "takenUntil": 7}, {**good, "credentials": {}}):
            self.queue.waiting("reclaim_task")[0].answer.callback(answer)
            self.clock.advance(20)
        self.assertEqual((self.ended, self.credentials, self.waiting()), ([], [], 1))
        self.queue.answer("reclaim_task", good)
        self.assertEqual(self.credentials, ["next"])

    def test_refused_credentials_lose_nothing_before_the_claim_is_over(self) -> None:
        for status in (401, 403, 404):
            self.setUp()
            self.queue.always("reclaim_task", CallFailed("reclaimTask", status, "AuthenticationFailed", "no"))
            self.clock.pump([1.0] * 1160)
            self.queue.always("reclaim_task", lambda call: self.facilities.reclaim_answer())
            self.clock.pump([1.0] * 100)
            self.assertEqual((self.ended, self.credentials), ([], ["next"]))

    def test_whoever_is_told_to_look_again_does_so_at_once(self) -> None:
        self.clock.advance(10)
        self.keeper.look_again()
        self.assertEqual(self.waiting(), 1)
        self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
        self.assertEqual((self.credentials, self.ended), (["next"], []))
        self.clock.advance(1019)
        self.assertEqual(self.waiting(), 0)
        self.clock.advance(1)
        self.assertEqual(self.waiting(), 1)

    def test_and_makes_a_call_under_way_anew(self) -> None:
        self.clock.advance(1020)
        self.keeper.look_again()
        self.assertEqual([call.cancelled for call in self.queue.made("reclaim_task")], [True, False])
        self.assertEqual((self.waiting(), self.ended), (1, []))

    def test_what_was_under_way_ends_nothing_when_it_is_over_later(self) -> None:
        late: Deferred[None] = Deferred()

        async def slow() -> None:
            try:
                await Deferred()
            finally:
                await late

        self.patch(self, "renewed", lambda credentials, taken_until: Deferred.fromCoroutine(slow()))
        self.keeper.stop()
        self.keep(1200)
        self.clock.advance(1020)
        self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
        self.keeper.look_again()
        late.callback(None)
        self.assertEqual((self.waiting(), self.ended), (1, []))

    def test_but_not_after_its_end(self) -> None:
        self.keeper.stop()
        self.keeper.look_again()
        self.assertEqual((self.waiting(), self.clock.getDelayedCalls()), (0, []))

    def test_the_deadline_is_watched_without_the_queue(self) -> None:
        self.queue.always("reclaim_task", lambda call: self.facilities.reclaim_answer())
        self.clock.pump([59.0] * 61)
        self.assertEqual(self.ended, [])
        self.clock.advance(1)
        self.assertEqual(self.ended, [DEADLINE_EXCEEDED])

    def test_it_ends_once(self) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task")
        self.say_status(reasonResolved="canceled")
        self.clock.advance(4000)
        self.assertEqual(len(self.ended), 1)

    def test_stopping_leaves_no_timer_and_says_nothing(self) -> None:
        self.keeper.stop()
        self.keeper.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.ended), ([], []))

    def test_stopping_gives_up_a_call_under_way(self) -> None:
        self.clock.advance(1020)
        self.keeper.stop()
        self.assertTrue(self.queue.made("reclaim_task")[0].cancelled)
        self.assertEqual((self.clock.getDelayedCalls(), self.ended), ([], []))
