from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import CallFailed, Unreachable
from tcworker.interfaces import Credentials
from tcworker.testing.queue import FakeQueue


class FakeQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.queue = FakeQueue()

    def test_a_call_waits_for_its_answer(self) -> None:
        claiming = self.queue.claim_work("a/b", {"tasks": 2})
        self.assertNoResult(claiming)
        self.assertEqual(self.queue.answer("claim_work", {"tasks": []}).args, ("a/b", {"tasks": 2}))
        self.assertEqual(self.successResultOf(claiming), {"tasks": []})

    def test_the_oldest_call_is_answered_first(self) -> None:
        first, second = self.queue.status("A"), self.queue.status("B")
        self.queue.answer("status", 1)
        self.assertEqual(self.successResultOf(first), 1)
        self.assertNoResult(second)
        self.assertEqual([call.args for call in self.queue.waiting("status")], [("B",)])

    def test_refused_and_lost(self) -> None:
        refused, lost = self.queue.reclaim_task("A", 0), self.queue.report_completed("A", 0)
        self.queue.refuse("reclaim_task")
        self.queue.lose("report_completed")
        self.assertEqual(str(self.failureResultOf(refused, CallFailed).value), "reclaimTask: 409 RequestConflict: no")
        self.assertEqual(self.failureResultOf(lost, Unreachable).value.method, "reportCompleted")

    def test_always(self) -> None:
        self.queue.always("status", {"status": 1})
        self.queue.always("report_failed", CallFailed("reportFailed", 409, "RequestConflict", "no"))
        self.queue.always("task", lambda call: {"name": call.args[0]})
        self.assertEqual(self.successResultOf(self.queue.status("A")), {"status": 1})
        self.failureResultOf(self.queue.report_failed("A", 0), CallFailed)
        self.assertEqual(self.successResultOf(self.queue.task("A")), {"name": "A"})
        self.assertEqual(self.queue.methods(), ["status", "report_failed", "task"])

    def test_a_cancelled_call_says_so(self) -> None:
        claiming = self.queue.claim_work("a/b", {})
        claiming.cancel()
        self.failureResultOf(claiming)
        self.assertTrue(self.queue.calls[0].cancelled)
        self.assertEqual(self.queue.waiting("claim_work"), [])

    def test_a_call_remembers_whose_credentials_it_had(self) -> None:
        newest = Credentials("first", "secret")
        queue = FakeQueue(lambda: newest)
        queue.status("A")
        newest = Credentials("second", "secret")
        queue.status("A")
        self.assertEqual([call.credentials.client_id for call in queue.calls if call.credentials], ["first", "second"])

    def test_answering_what_nobody_asked(self) -> None:
        with self.assertRaises(AssertionError):
            self.queue.answer("status", {})
