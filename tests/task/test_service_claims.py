"""A run whose claim is refused, whose clock is wrong, or whose definition is not what it should be."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tcworker.client.server_time import ServerTime
from tcworker.task.claim import Claim
from tcworker.task.resolution import CANCELED, CLAIM_LOST, COMPLETED, WORKER_SHUTDOWN
from tests.task.test_service import Running


class TheQueueKnowsAlready(Running):
    """The answer to a report is not there yet when a reclaim is refused."""

    def refuse_reclaim(self, **run: Any) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task")
        self.queue.answer("status", {"status": {"runs": [{"runId": 0, **run}]}})

    def test_what_the_worker_has_reported_stays_its_outcome(self) -> None:
        self.run_task({"print": "x"})
        self.refuse_reclaim(state="completed", reasonResolved="completed")
        self.assertEqual(self.ended, [])
        self.queue.answer("report_completed")
        self.assertEqual(self.ended, [COMPLETED])

    def test_artifacts_of_a_run_that_was_handed_on_are_still_published(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"sleep": 5000}).shut_down(1500)
        self.refuse_reclaim(state="exception", reasonResolved="worker-shutdown")
        self.queue.answer("report_exception")
        self.assertEqual((self.feature.hooks[-1], self.ended), ("upload", []))
        self.feature.answers["upload"].callback(None)
        self.assertEqual(self.ended, [WORKER_SHUTDOWN])

    def test_what_somebody_else_reported_takes_the_claim_away(self) -> None:
        self.run_task({"sleep": 5000})
        self.refuse_reclaim(state="exception", reasonResolved="worker-shutdown")
        self.clock.advance(0)
        self.assertEqual((self.ended, self.queue.made("report_exception")), ([CLAIM_LOST], []))


class TheReportIsRefused(Running):
    """The queue had ended the run before it was told how that ended, and nothing else came to say so."""

    def refuse(self, method: str, **run: Any) -> None:
        self.queue.refuse(method)
        self.queue.answer("status", {"status": {"runs": [{"runId": 0, **run}]}})

    def test_a_completed_run_ends_as_the_queue_says_with_a_verdict(self) -> None:
        for reason, resolution in (("claim-expired", CLAIM_LOST), ("canceled", CANCELED)):
            self.setUp()
            self.run_task({"print": "x"})
            self.refuse("report_completed", state="exception", reasonResolved=reason)
            self.assertEqual((self.verdict["reason"], self.ended), (reason, [resolution]))
            self.assertEqual((self.facilities.memory.kept, self.clock.getDelayedCalls()), ({}, []))

    def test_a_verdict_that_is_published_stays(self) -> None:
        self.run_task({"exit": 3})
        self.refuse("report_failed", state="exception", reasonResolved="claim-expired")
        self.assertEqual((self.verdict["cause"], self.ended), ("exit-status", [CLAIM_LOST]))

    def test_of_one_that_is_handed_on_artifacts_are_published_as_after_a_cancellation(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"sleep": 5000}).shut_down(1500)
        self.refuse("report_exception", state="exception", reasonResolved="canceled")
        self.feature.answers["upload"].callback(None)
        self.clock.advance(0)
        self.assertEqual((self.verdict["cause"], self.ended), ("canceled", [CANCELED]))

    def test_one_that_was_reported_like_that_before_is_over(self) -> None:
        self.run_task({"print": "x"})
        self.refuse("report_completed", state="completed", reasonResolved="completed")
        self.assertEqual(self.ended, [COMPLETED])

    def test_what_the_queue_does_not_say_is_not_waited_for_for_long(self) -> None:
        self.run_task({"print": "x"})
        self.queue.refuse("report_completed")
        self.assertEqual(self.ended, [])
        self.clock.advance(10)
        self.assertEqual((self.verdict["reason"], self.ended), ("canceled", [CANCELED]))

    def test_who_is_dropped_meanwhile_asks_no_more(self) -> None:
        task = self.run_task({"print": "x"})
        self.queue.refuse("report_completed")
        self.successResultOf(task.stopService())
        self.assertTrue(self.queue.made("status")[0].cancelled)
        self.assertEqual((self.ended, self.clock.getDelayedCalls()), ([], []))


class ADefinitionThatIsNone(Running):
    """The queue should not have let it pass, but it did."""

    def run_defined(self, **changes: Any) -> None:
        answer = self.facilities.claim_answer({"script": [{"print": "x"}]})
        answer["task"].update(changes)
        self.run_claim(Claim.from_json(answer))

    def test_it_is_malformed_and_its_log_says_where(self) -> None:
        self.run_defined(scopes=[7], metadata=None)
        self.assertEqual(self.queue.calls[-1].body, {"reason": "malformed-payload"})
        for fault in ("task.scopes[0] is not a text", "task.metadata is not an object"):
            self.assertIn(f"[taskcluster:error] {fault}", self.log)
        self.assertEqual(self.feature.hooks, [])

    def test_so_it_is_if_its_payload_is_none(self) -> None:
        for payload in (None, [], "x", 7):
            self.setUp()
            self.run_defined(payload=payload)
            self.assertEqual(self.queue.calls[-1].body, {"reason": "malformed-payload"})


class AClockThatIsWrong(Running):
    """This machine's is two hours ahead of the server's."""

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1_900_000_000)
        self.facilities.time = ServerTime(lambda: self.clock.seconds() + 7200, self.clock.seconds)
        self.facilities.time.heard("Sun, 17 Mar 2030 17:46:40 GMT", self.clock.seconds())

    def test_a_claim_lasts_and_its_uploads_too(self) -> None:
        self.run_task({"print": "x"})
        self.assertEqual(self.queue.methods(), ["report_completed"])
        self.clock.advance(1000)
        self.assertGreater(self.facilities.contexts[0].time_left(), 199)
        self.clock.advance(20)
        self.assertEqual(len(self.queue.waiting("reclaim_task")), 1)

    def test_told_to_look_again_it_reclaims(self) -> None:
        self.run_task({"sleep": 5000}).look_again()
        self.assertEqual(len(self.queue.waiting("reclaim_task")), 1)
