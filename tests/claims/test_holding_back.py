"""A worker that should rather not claim, or that does not claim though it should."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tcworker.claims.internal_errors import IN_A_ROW, PAUSES
from tcworker.interfaces import ProcessStatus
from tcworker.watch.health import SILENCE
from tests.claims.case import EXIT, QUICK, SLEEP, Working

BROKEN: dict[str, Any] = {"script": [{"error": {"reason": "internal-error", "message": "a worker's fault"}}]}


class HoldingCase(Working):
    capacity = 4

    def run_all(self, *payloads: dict[str, Any]) -> None:
        """Give the worker tasks, and let each be reported."""
        self.give(*payloads)
        self.clock.advance(1)
        for call in ("report_exception", "report_completed"):
            while self.queue.waiting(call):
                self.queue.answer(call)
                self.clock.advance(0)

    def seconds_until_asking(self) -> float:
        """How long it takes until a claimWork is in flight."""
        begun = self.clock.seconds()
        while not self.asking:
            self.clock.advance(1)
        return self.clock.seconds() - begun


class InternalErrorsInARow(HoldingCase):
    """As many as C{maxInternalErrors} end it, a few make it slow."""

    settings = {"max_internal_errors": 5}  # noqa: RUF012  # replaced by subclasses, never changed

    def fail_until_held(self) -> None:
        self.run_all(*[BROKEN] * IN_A_ROW)
        # One was in flight already, for the slots that were free.
        self.run_all()

    def test_three_make_it_pause(self) -> None:
        self.fail_until_held()
        self.clock.advance(10)
        self.assertIn("internal errors", self.claims.held_back)
        self.assertGreaterEqual(self.seconds_until_asking(), 0.75 * PAUSES.first - 15)

    def test_then_it_asks_for_one_task(self) -> None:
        self.fail_until_held()
        self.seconds_until_asking()
        self.assertEqual(self.asking, [1])

    def test_one_that_runs_well_ends_that(self) -> None:
        self.fail_until_held()
        self.seconds_until_asking()
        self.run_all(QUICK)
        self.seconds_until_asking()
        self.assertEqual((self.asking, self.claims.held_back), ([4], ""))

    def test_runs_that_cannot_even_begin_count(self) -> None:
        self.patch(self.facilities, "new_log", lambda *arguments: 1 / 0)
        self.run_all(*[QUICK] * IN_A_ROW)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), IN_A_ROW)
        self.assertGreater(self.seconds_until_asking(), 10)

    def test_too_many_end_it(self) -> None:
        self.run_all(BROKEN, BROKEN, SLEEP)
        self.run_all(*[BROKEN])
        self.seconds_until_asking()
        self.run_all(BROKEN)
        self.seconds_until_asking()
        self.run_all(BROKEN)
        # What runs may end.
        self.assertNoResult(self.stopped)
        self.clock.advance(100)
        self.queue.answer("report_completed")
        exit = self.successResultOf(self.stopped)
        self.assertEqual(exit.status, ProcessStatus.INTERNAL_ERROR)
        self.assertIn("maxInternalErrors", exit.why)


class HeldBack(HoldingCase):
    """By somebody who has a reason."""

    def boot(self) -> None:
        self.reason = "the last one died of it"
        self.claims.hold_back(lambda: self.reason)
        super().boot()

    def test_nothing_is_claimed(self) -> None:
        self.clock.pump([1] * 1000)
        self.assertEqual((self.asking, self.claims.held_back), ([], self.reason))
        self.assertNoResult(self.stopped)

    def test_that_is_no_fault_of_its_health(self) -> None:
        for _ in range(1000):
            self.clock.advance(1)
            self.assertEqual(self.claims.health.problems, [])

    def test_until_the_reason_is_gone(self) -> None:
        self.reason = ""
        self.assertLessEqual(self.seconds_until_asking(), 5)
        self.assertEqual(self.claims.held_back, "")


class Health(HoldingCase):
    capacity = 1

    def test_a_worker_that_waits_for_tasks_is_well(self) -> None:
        for _ in range(50):
            self.clock.advance(20)
            self.assertEqual(self.claims.health.problems, [])
            self.give()
            self.seconds_until_asking()

    def test_one_whose_taskcluster_is_away_is_too(self) -> None:
        """A new start would not bring that back."""
        for _ in range(1000):
            self.clock.advance(1)
            if self.asking:
                self.queue.lose("claim_work")
            self.assertEqual(self.claims.health.problems, [])

    def test_one_whose_claim_never_ends_is_not(self) -> None:
        self.clock.advance(SILENCE - 1)
        self.assertEqual(self.claims.health.problems, [])
        self.clock.advance(2)
        (problem,) = self.claims.health.problems
        self.assertIn("could claim", problem)

    def test_one_whose_look_at_the_disk_never_ends_is_not(self) -> None:
        self.patch(self.facilities.threads, "run", lambda *arguments: Deferred())
        self.give()
        self.clock.pump([1] * int(SILENCE + 10))
        self.assertTrue(self.claims.health.problems)

    def test_one_that_has_no_slot_is_well(self) -> None:
        self.give({"script": [{"sleep": 900}]})
        self.clock.pump([10] * 89)
        self.assertEqual(self.claims.health.problems, [])
        self.clock.pump([10] * 2)
        self.assertEqual((self.asking, self.claims.health.problems), ([1], []))

    def test_one_that_goes_is_well(self) -> None:
        self.claims.drain(None, EXIT)
        self.clock.advance(2 * SILENCE)
        self.assertEqual(self.claims.health.problems, [])
