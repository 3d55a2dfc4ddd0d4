"""What messages say, whoever wrote them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import strategies as st
from taskcluster import QueueEvents
from twisted.trial.unittest import SynchronousTestCase

from tcworker.pulse.messages import EXCHANGE, LARGEST, Decision, binding_of, read_decision
from tcworker.task.resolution import CANCELED
from tests.hypotheses import given
from tests.task.test_run_status import status
from tests.test_json_reading import VALUES

WORDS = st.sampled_from(["status", "runId", "version", "workerId"])


def message(*reasons: str | None, run_id: Any = 0, **more: Any) -> bytes:
    """A message about a task whose runs ended so."""
    return json.dumps({"version": 1, "status": status(*reasons), "runId": run_id, **more}).encode()


class Messages(SynchronousTestCase):
    def test_a_run_that_was_cancelled(self) -> None:
        self.assertEqual(read_decision(message("canceled")), Decision("task", 0, CANCELED))

    def test_it_is_the_run_that_the_message_is_about_that_counts(self) -> None:
        self.assertEqual(read_decision(message("claim-expired", "canceled", run_id=1)), Decision("task", 1, CANCELED))

    def test_what_a_worker_reported_comes_back_and_is_no_news(self) -> None:
        self.assertIsNone(read_decision(message("worker-shutdown", None)))

    def test_a_task_that_had_no_run(self) -> None:
        self.assertIsNone(read_decision(b'{"version": 1, "status": {"taskId": "task", "runs": []}}'))

    def test_what_is_no_message(self) -> None:
        for body in (
            b"",
            b"\xff\xfe",
            b"canceled",
            b"null",
            b"[1]",
            b"[" * 100_000,
            b'{"runId": 0}',
            b'{"runId": 0, "status": "canceled"}',
            message("canceled", run_id="0"),
            message("canceled", run_id=True),
            message("canceled", run_id=-1),
            message("canceled", run_id=7),
            message(None, status={"taskId": 1, "runs": []}),
            message(None, status={"taskId": "task"}),
        ):
            error = self.assertRaises(ValueError, read_decision, body)
            # What stands in a log is short, and says what it was.
            self.assertTrue(0 < len(str(error)) < 100, body[:50])

    @given(st.binary() | VALUES.map(json.dumps).map(str.encode))
    def test_whatever_it_is_it_is_read_or_refused(self, body: bytes) -> None:
        with contextlib.suppress(ValueError):
            self.assertIsNone(read_decision(body))

    @given(st.data())
    def test_a_message_in_which_something_else_stands_too(self, data: st.DataObject) -> None:
        parts = {"status": status("canceled"), "runId": 0, **data.draw(st.dictionaries(WORDS, VALUES))}
        parts["status"] = data.draw(st.just(parts["status"]) | VALUES)
        try:
            decision = read_decision(json.dumps(parts).encode())
        except ValueError:
            return
        self.assertIn(decision, (None, Decision("task", 0, CANCELED)))

    def test_one_that_is_too_long_is_not_even_read(self) -> None:
        self.assertRaises(ValueError, read_decision, message("canceled", padding="x" * LARGEST))


class Binding(SynchronousTestCase):
    def test_it_is_as_clients_bind(self) -> None:
        events = QueueEvents({"rootUrl": "https://tc.example.com"})
        theirs = events.taskException({"workerGroup": "group", "workerId": "worker"})
        self.assertEqual(theirs["exchange"], EXCHANGE)
        self.assertTrue(theirs["routingKeyPattern"].startswith(binding_of("group", "worker").removesuffix("#")))
