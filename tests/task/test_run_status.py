"""What a status says of a run, also when it is none."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.resolution import CANCELED, CLAIM_LOST, DEADLINE_EXCEEDED, WORKER_SHUTDOWN
from tcworker.task.run_status import decision_of_queue, resolution_in


def status(*reasons: str | None) -> dict[str, Any]:
    """The status of a task whose runs ended so; C{None} for one that has not."""
    runs = [
        {"runId": number} | ({"state": "exception", "reasonResolved": reason} if reason else {"state": "running"})
        for number, reason in enumerate(reasons)
    ]
    return {"taskId": "task", "runs": runs}


class Decisions(SynchronousTestCase):
    def test_what_the_queue_decides_itself(self) -> None:
        for reason, resolution in (
            ("canceled", CANCELED),
            ("deadline-exceeded", DEADLINE_EXCEEDED),
            ("claim-expired", CLAIM_LOST),
        ):
            self.assertEqual(decision_of_queue(status(reason), 0), resolution)

    def test_what_a_worker_reports_is_no_news(self) -> None:
        for reason in ("completed", "failed", "worker-shutdown", "internal-error", "intermittent-task"):
            self.assertIsNone(decision_of_queue(status(reason), 0))

    def test_but_it_says_how_the_run_ended(self) -> None:
        self.assertEqual(resolution_in(status("worker-shutdown"), 0), WORKER_SHUTDOWN)
        self.assertIsNone(resolution_in(status(None), 0))

    def test_a_run_that_still_runs(self) -> None:
        self.assertIsNone(decision_of_queue(status(None), 0))

    def test_each_run_for_itself(self) -> None:
        both = status("claim-expired", None)
        self.assertEqual((decision_of_queue(both, 0), decision_of_queue(both, 1)), (CLAIM_LOST, None))

    def test_what_is_none(self) -> None:
        for wrong in (None, [], "status", {}, {"runs": {}}, {"runs": []}, {"runs": [None]}, {"runs": [{"runId": 1}]}):
            self.assertRaises(ValueError, decision_of_queue, wrong, 0)
        for run_id in (-1, 1):
            self.assertRaises(ValueError, decision_of_queue, status("canceled"), run_id)

    def test_a_reason_that_is_none(self) -> None:
        self.assertRaises(ValueError, decision_of_queue, {"runs": [{"runId": 0, "reasonResolved": ["canceled"]}]}, 0)
        hidden = {"runId": 0, "state": "exception", "reasonResolved": "hidden"}
        self.assertIsNone(decision_of_queue({"runs": [hidden]}, 0))
