"""How long a run's uploads may take."""

from __future__ import annotations

from datetime import timedelta

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.server_time import ServerTime
from tcworker.task.allowance import TOLERANCE, Allowance
from tcworker.waiting import now


class AllowanceTests(SynchronousTestCase):
    """A claim of 1000 seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_900_000_000)
        self.allowance = Allowance(ServerTime(self.clock.seconds), now(self.clock) + timedelta(seconds=1000))

    def test_as_long_as_the_claim_lasts(self) -> None:
        self.clock.advance(400)
        self.assertEqual(self.allowance.left(), 600)

    def test_never_less_than_nothing(self) -> None:
        self.clock.advance(2000)
        self.assertEqual(self.allowance.left(), 0)

    def test_a_reclaim_prolongs_it(self) -> None:
        self.clock.advance(900)
        self.allowance.taken_until = now(self.clock) + timedelta(seconds=1000)
        self.assertEqual(self.allowance.left(), 1000)

    def test_the_shortest_limit_counts_from_when_it_was_set(self) -> None:
        self.allowance.limit(300)
        self.clock.advance(50)
        self.allowance.limit(280)
        self.assertEqual(self.allowance.left(), 250)
        self.allowance.limit(10)
        self.assertEqual(self.allowance.left(), 10)

    def test_a_limit_is_no_more_than_the_claim(self) -> None:
        self.allowance.limit(5000)
        self.assertEqual(self.allowance.left(), 1000)

    def test_a_reclaim_does_not_lift_a_limit(self) -> None:
        self.allowance.limit(300)
        self.allowance.taken_until += timedelta(seconds=1000)
        self.assertEqual(self.allowance.left(), 300)

    def test_a_lost_claim_leaves_what_auth_tolerates(self) -> None:
        self.allowance.claim_lost()
        self.clock.advance(1000)
        self.assertEqual(self.allowance.left(), TOLERANCE)
        self.clock.advance(TOLERANCE)
        self.assertEqual(self.allowance.left(), 0)
