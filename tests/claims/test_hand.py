"""Who is told when the queue has ended a run, and when."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.hand import MOST_EARLY, Hand
from tcworker.task.resolution import CANCELED, CLAIM_LOST, Resolution
from tcworker.testing.queue import FakeQueue


class FakeRun:
    """A run that notes what it is told."""

    def __init__(self, task_id: str, run_id: int = 0) -> None:
        self.told: list[Resolution] = []
        self.claim: Any = self
        self.context: Any = self
        self.task_id = task_id
        self.run_id = run_id
        self.name = f"{task_id}/{run_id}"
        self.queue = FakeQueue()

    def taken_away(self, resolution: Resolution) -> None:
        self.told.append(resolution)


class HandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hand = Hand(self.clock)

    def take(self, task_id: str = "task", run_id: int = 0) -> FakeRun:
        run = FakeRun(task_id, run_id)
        self.hand.take(run)
        return run


class InHand(HandCase):
    def test_it_is_told_once(self) -> None:
        run, other = self.take(), self.take("other")
        for _ in range(2):
            self.hand.decided("task", 0, CANCELED)
        self.assertEqual((run.told, other.told), ([CANCELED], []))

    def test_another_run_of_the_same_task_is_another_one(self) -> None:
        run = self.take(run_id=1)
        self.hand.decided("task", 0, CLAIM_LOST)
        self.hand.decided("task", 2, CANCELED)
        self.assertEqual(run.told, [])

    def test_whoever_knows_the_task_alone_means_its_run(self) -> None:
        run, other = self.take(run_id=3), self.take("other")
        self.hand.canceled("task")
        self.hand.canceled("nobody")
        self.assertEqual((run.told, other.told), ([CANCELED], []))

    def test_those_that_nothing_was_heard_of(self) -> None:
        runs = [self.take("a"), self.take("b")]
        self.clock.advance(5)
        young = self.take("c")
        self.assertEqual(list(self.hand.undecided()), [*runs, young])
        self.assertEqual(list(self.hand.undecided(5)), runs)
        self.hand.decided("a", 0, CANCELED)
        self.hand.drop(young)
        self.assertEqual(list(self.hand.undecided()), runs[1:])

    def test_they_are_not_forgotten_when_the_clock_is_set_back(self) -> None:
        run = self.take()
        self.clock.rightNow -= 3600
        self.assertEqual(list(self.hand.undecided(5)), [run])

    def test_one_that_is_over_is_told_nothing(self) -> None:
        run = self.take()
        self.hand.drop(run)
        self.hand.decided("task", 0, CANCELED)
        self.hand.canceled("task")
        self.assertEqual(run.told, [])


class NotYetInHand(HandCase):
    """A cancellation may overtake the answer of claimWork."""

    def test_it_is_told_as_soon_as_it_begins(self) -> None:
        self.hand.decided("task", 0, CANCELED)
        self.hand.decided("task", 0, CANCELED)
        self.clock.advance(59)
        self.assertEqual(self.take().told, [CANCELED])

    def test_that_is_said_of_this_run_alone(self) -> None:
        self.hand.decided("task", 0, CANCELED)
        self.assertEqual((self.take(run_id=1).told, self.take("other").told), ([], []))

    def test_not_for_ever(self) -> None:
        self.hand.decided("task", 0, CANCELED)
        self.clock.advance(61)
        self.assertEqual(self.take().told, [])

    def test_what_is_heard_twice_is_kept_as_long_as_if_it_had_been_once(self) -> None:
        self.hand.decided("task", 0, CANCELED)
        self.hand.decided("other", 0, CANCELED)
        self.clock.advance(50)
        self.hand.decided("task", 0, CANCELED)
        self.clock.advance(50)
        self.assertEqual((self.take("other").told, self.take("task").told), ([], [CANCELED]))

    def test_what_is_heard_of_others_does_not_pile_up(self) -> None:
        for number in range(MOST_EARLY + 1):
            self.hand.decided(f"task-{number}", 0, CANCELED)
        self.assertEqual(self.take("task-0").told, [])
        self.assertEqual(self.take("task-1").told, [CANCELED])
        self.assertEqual(self.take(f"task-{MOST_EARLY}").told, [CANCELED])
