"""Who waits in claimWork, and in what order they are served, while the database takes its time."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.queue.polls import ClaimRequest, Claims, Polls
from tcworker.embedded.queue.worker_store import WorkerKey
from tcworker.interfaces import JSON

QUEUE = "prov/type"


class PollsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.polls = Polls(self.clock, 20, self.take)
        self.looks: list[tuple[Sequence[ClaimRequest], Deferred[Sequence[Claims | None]]]] = []

    async def take(self, queue: str, requests: Sequence[ClaimRequest]) -> Sequence[Claims | None]:
        answer: Deferred[Sequence[Claims | None]] = Deferred()
        self.looks.append((requests, answer))
        return await answer

    def wait(self, worker: str, count: int = 1, queue: str = QUEUE) -> Deferred[Claims]:
        return Deferred.fromCoroutine(self.polls.wait(ClaimRequest(WorkerKey(queue, "group", worker), count)))

    def asked(self) -> list[tuple[str, int, bool]]:
        """For whom the last look was."""
        return [(one.worker.worker_id, one.count, one.new) for one in self.looks[-1][0]]

    def give(self, *taken: Sequence[JSON] | None) -> None:
        """Let the last look come to its end."""
        self.looks[-1][1].callback(taken)


class TheLine(PollsTestCase):
    def test_all_who_wait_are_looked_after_together_in_the_order_in_which_they_came(self) -> None:
        first = self.wait("first")
        self.give([])
        second = self.wait("second", 5)
        self.assertEqual(self.asked(), [("first", 1, False), ("second", 5, True)])
        self.give(["a"], ["b", "c"])
        self.assertEqual([self.successResultOf(first), self.successResultOf(second)], [["a"], ["b", "c"]])
        self.assertEqual(self.polls.count, 0)

    def test_who_gets_nothing_waits_on(self) -> None:
        first, second = self.wait("first"), self.wait("second")
        self.give([])
        self.give(["a"], [])
        self.assertEqual(self.successResultOf(first), ["a"])
        self.assertNoResult(second)
        self.polls.wake(QUEUE)
        self.assertEqual(self.asked(), [("second", 1, False)])

    def test_what_comes_during_a_look_is_looked_for_again(self) -> None:
        waiting = self.wait("worker")
        self.polls.wake(QUEUE)
        self.assertEqual(len(self.looks), 1)
        self.give([])
        self.assertEqual(len(self.looks), 2)
        self.give(["a"])
        self.assertEqual(self.successResultOf(waiting), ["a"])

    def test_when_a_look_brought_as_much_as_one_may_there_is_another(self) -> None:
        self.wait("first", 32)
        self.give([])
        self.wait("second")
        self.give(["a"] * 32, [])
        self.assertEqual(self.asked(), [("second", 1, False)])
        self.give([])
        self.assertEqual(len(self.looks), 3)

    def test_no_look_for_nobody(self) -> None:
        self.polls.wake(QUEUE)
        self.assertEqual(self.looks, [])

    def test_task_queues_do_not_wait_for_each_other(self) -> None:
        self.wait("worker")
        other = self.wait("worker", queue="prov/other")
        self.give(["a"])
        self.assertEqual(self.successResultOf(other), ["a"])

    def test_a_worker_in_quarantine_waits_to_the_end_and_is_not_looked_after_again(self) -> None:
        waiting = self.wait("bad")
        self.give(None)
        self.polls.wake(QUEUE)
        self.assertEqual(len(self.looks), 1)
        self.clock.advance(19.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(waiting), [])

    def test_a_look_that_fails_fails_those_it_was_for_and_nobody_else(self) -> None:
        waiting = self.wait("worker")
        self.looks[-1][1].errback(ValueError())
        self.failureResultOf(waiting, ValueError)
        later = self.wait("later")
        self.give(["a"])
        self.assertEqual(self.successResultOf(later), ["a"])


class Leaving(PollsTestCase):
    def test_when_the_time_is_over(self) -> None:
        waiting = self.wait("worker")
        self.give([])
        self.clock.advance(20)
        self.assertEqual(self.successResultOf(waiting), [])
        self.assertEqual((self.polls.count, self.clock.getDelayedCalls()), (0, []))

    def test_the_time_is_over_while_something_is_claimed(self) -> None:
        for taken in (["a"], []):
            waiting = self.wait("worker")
            self.clock.advance(20)
            self.assertNoResult(waiting)
            self.give(taken)
            self.assertEqual(self.successResultOf(waiting), taken)

    def test_who_hangs_up_is_no_longer_looked_after(self) -> None:
        gone, waiting = self.wait("gone"), self.wait("waiting")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.give([])
        self.assertEqual(self.asked(), [("waiting", 1, True)])
        self.assertNoResult(waiting)

    def test_who_hangs_up_while_something_is_claimed_does_not_pass_it_on(self) -> None:
        gone, waiting = self.wait("gone"), self.wait("waiting")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.give(["a"])
        self.assertEqual(self.asked(), [("waiting", 1, True)])
        self.give(["b"])
        self.assertEqual(self.successResultOf(waiting), ["b"])

    def test_all_are_sent_away_and_come_again(self) -> None:
        waiting, bad = self.wait("worker"), self.wait("bad")
        self.give([])
        self.give([], None)
        self.polls.end()
        self.assertEqual([self.successResultOf(one) for one in (waiting, bad)], [[], []])
        self.assertNoResult(self.wait("worker"))

    def test_stopping_waits_for_what_is_being_claimed_and_hands_it_over(self) -> None:
        waiting = self.wait("worker")
        stopped = Deferred.fromCoroutine(self.polls.stop())
        self.assertNoResult(stopped)
        self.give(["a"])
        self.successResultOf(stopped)
        self.assertEqual(self.successResultOf(waiting), ["a"])
        self.assertEqual(self.successResultOf(self.wait("late")), [])
