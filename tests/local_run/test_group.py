"""A group of tasks as it is followed."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.local_run.definitions import LocalTask
from tcworker.local_run.group import LOOK_EVERY, Group

TASK = LocalTask("t", "task", "task.yml", {})


class OneTaskQueue:
    """A queue with one task, in the state that a test says."""

    state = "running"
    asked = 0

    def create_task(self, task_id: str, definition: Any) -> Deferred[Any]:
        return succeed({})

    def status(self, task_id: str) -> Deferred[Any]:
        self.asked += 1
        return succeed({"status": {"state": self.state, "runs": []}})


class Following(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.queue = Clock(), OneTaskQueue()
        self.group = Group(self.clock, [TASK], None)  # type: ignore[arg-type]  # prints nothing here
        self.successResultOf(Deferred.fromCoroutine(self.group.create(self.queue)))  # type: ignore[arg-type]  # a fake

    def follow(self) -> Deferred[Any]:
        async def ended(outcome: Any) -> None:
            pass

        return self.group.until_resolved(ended)

    def test_a_task_is_looked_at_again_and_again_until_it_is_resolved(self) -> None:
        following = self.follow()
        self.clock.pump([LOOK_EVERY] * 2)
        self.assertNoResult(following)
        self.queue.state = "completed"
        self.clock.advance(LOOK_EVERY)
        (outcome,) = self.successResultOf(following)
        self.assertEqual((outcome.status["state"], self.queue.asked), ("completed", 4))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_given_up_it_looks_no_more(self) -> None:
        following = self.follow()
        following.cancel()
        self.failureResultOf(following, CancelledError)
        self.assertEqual((self.queue.asked, self.clock.getDelayedCalls()), (1, []))
