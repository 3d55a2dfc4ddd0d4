"""Keeping a claim on machines whose clocks are wrong, are set, or do not know that time went by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import CallFailed, TaskclusterError, Unreachable
from tcworker.interfaces import Credentials
from tcworker.task.claim import Claim, write_date
from tcworker.task.keeper import ClaimKeeper
from tcworker.task.resolution import CLAIM_LOST, DEADLINE_EXCEEDED, Resolution
from tcworker.testing.facilities import FakeFacilities
from tcworker.testing.queue import Call
from tests.task.machine import Machine

EXPIRED = CallFailed("reclaimTask", 401, "AuthenticationFailed", "the certificate has expired")


class TheServer:
    """Holds one claim of 1,200 seconds, by its own clock.

    @ivar away: what its callers get instead of an answer.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.until = machine.true + 1200
        self.renewed: list[float] = []
        self.away: TaskclusterError | None = None

    def reclaim(self, call: Call) -> Any:
        if self.away is not None:
            raise self.away
        self.machine.hear()
        if self.machine.true > self.until:
            # Nobody answers 409 to whom auth does not know any more.
            raise EXPIRED
        self.renewed.append(self.machine.true)
        self.until = self.machine.true + 1200
        return {"takenUntil": self.date(self.until), "credentials": {"clientId": "run", "accessToken": "next"}}

    def date(self, seconds: float) -> str:
        return write_date(datetime.fromtimestamp(seconds, UTC))


class Keeping(SynchronousTestCase):
    """A claim of a task whose deadline is in six hours."""

    def begin(self, wrong: float = 0.0) -> None:
        self.machine = Machine(wrong)
        self.server = TheServer(self.machine)
        facilities = FakeFacilities(self.machine.clock, self.mktemp())
        self.queue = facilities.queue
        self.queue.always("reclaim_task", self.server.reclaim)
        self.machine.hear()
        answer = facilities.claim_answer()
        answer["takenUntil"] = self.server.date(self.server.until)
        answer["task"]["deadline"] = self.server.date(self.machine.true + 6 * 3600)
        claim = Claim.from_json(answer)
        self.ended: list[Resolution] = []
        self.keeper = ClaimKeeper(
            claim,
            self.queue,
            self.machine.clock,
            self.machine.time,
            renewed=self.renewed,
            ended=self.ended.append,
        )
        self.keeper.start()
        self.addCleanup(self.keeper.stop)

    def renewed(self, credentials: Credentials, taken_until: datetime) -> Deferred[None]:
        return succeed(None)

    def assert_kept(self, hours: float) -> None:
        """See the claim live on for so long, renewed as often as usual."""
        before = len(self.server.renewed)
        self.machine.go(hours * 3600)
        self.assertEqual(self.ended, [])
        self.assertLessEqual(abs(len(self.server.renewed) - before - hours * 3600 / 1020), 1)

    def test_a_clock_that_is_wrong_from_the_beginning_loses_nothing(self) -> None:
        for wrong in (0, 300, -300, 7200, -7200):
            self.begin(wrong)
            self.assert_kept(2)

    def test_the_deadline_is_that_of_the_server(self) -> None:
        for wrong in (300, -300, 7200, -7200):
            self.begin(wrong)
            self.machine.go(6 * 3600 - 30, 10)
            self.assertEqual(self.ended, [])
            self.machine.go(60)
            self.assertEqual(self.ended, [DEADLINE_EXCEEDED])

    def test_a_conflict_means_that_it_is_over_as_soon_as_it_may_be(self) -> None:
        self.begin()
        self.machine.go(6 * 3600, 10)
        self.server.away = CallFailed("reclaimTask", 409, "RequestConflict", "past deadline")
        self.keeper.look_again()
        self.assertEqual(self.ended, [])
        self.queue.answer("status", {"status": {"runs": [{"runId": 0, "state": "running"}]}})
        self.assertEqual(self.ended, [DEADLINE_EXCEEDED])

    def test_a_clock_that_is_set_forward_loses_nothing(self) -> None:
        self.begin()
        for _ in range(3):
            self.machine.go(500)
            self.machine.set_clock(5 * 3600)
            self.keeper.look_again()
        self.assert_kept(1)

    def test_one_that_is_set_back_is_looked_after_at_once(self) -> None:
        self.begin()
        self.machine.go(600)
        self.machine.set_clock(-5 * 3600)
        self.keeper.look_again()
        self.assertEqual(len(self.server.renewed), 1)
        self.assert_kept(1)

    def test_a_deadline_s_timer_that_comes_early_ends_nothing(self) -> None:
        self.begin()
        self.machine.set_clock(7 * 3600)
        self.assertEqual(self.ended, [])
        self.assert_kept(1)

    def test_a_machine_that_slept_past_its_claim_notices_on_waking(self) -> None:
        self.begin()
        self.machine.go(100)
        self.machine.sleep(3600)
        self.keeper.look_again()
        self.machine.go(2)
        self.assertEqual(self.ended, [CLAIM_LOST])

    def test_also_if_nobody_answers_it(self) -> None:
        self.begin()
        self.machine.go(100)
        self.machine.sleep(3600)
        self.server.away = Unreachable("reclaimTask", "no network yet")
        self.keeper.look_again()
        self.machine.go(2)
        self.assertEqual(self.ended, [CLAIM_LOST])

    def test_one_that_woke_in_time_has_its_claim_still(self) -> None:
        self.begin()
        self.machine.go(100)
        self.machine.sleep(1000)
        self.keeper.look_again()
        self.assertEqual(len(self.server.renewed), 1)
        self.assert_kept(1)

    def test_one_that_stood_still_unknowingly_believes_the_server(self) -> None:
        self.begin()
        self.machine.go(100)
        self.machine.stand_still(3600)
        # Some time later somebody sets its clock.
        self.machine.go(10)
        self.machine.set_clock(3600)
        self.keeper.look_again()
        self.machine.go(2)
        self.assertEqual(self.ended, [CLAIM_LOST])

    def test_credentials_that_are_refused_before_the_claim_is_over_are_tried_on(self) -> None:
        self.begin()
        self.server.away = EXPIRED
        self.machine.go(1150)
        self.server.away = None
        self.machine.go(40)
        self.assertEqual((self.ended, len(self.server.renewed)), ([], 1))

    def test_a_server_whose_claims_are_over_when_it_makes_them_is_not_asked_without_a_pause(self) -> None:
        self.begin()
        self.machine.time.heard("Fri, 01 Jan 2100 00:00:00 GMT", self.machine.steady)
        self.machine.hear = lambda: None  # type: ignore[method-assign]  # what says the time is another server
        self.keeper.look_again()
        self.machine.go(60)
        self.assertLessEqual(len(self.server.renewed), 121)
        self.assertNotIn(CLAIM_LOST, self.ended)
