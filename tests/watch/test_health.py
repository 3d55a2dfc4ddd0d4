"""Whether a worker is well."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.watch.health import SILENCE, Health, claims_enough


class SeveralChecks(SynchronousTestCase):
    def test_each_is_asked_anew(self) -> None:
        health, problems = Health(), {"disk": "", "queue": ""}
        for name in problems:
            health.add(lambda name=name: problems[name])  # type: ignore[misc]  # bound now
        self.assertEqual(health.problems, [])
        problems["queue"] = "away"
        self.assertEqual(health.problems, ["away"])
        problems |= {"disk": "full", "queue": ""}
        self.assertEqual(health.problems, ["full"])


class Claiming(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.could, self.asked = Clock(), True, 0.0
        self.check = claims_enough(self.clock.seconds, lambda: self.could, lambda: self.asked)

    def test_a_worker_that_asks_is_well(self) -> None:
        for _ in range(100):
            self.clock.advance(60)
            self.asked = self.clock.seconds()
            self.clock.advance(60)
            self.assertEqual(self.check(), "")

    def test_one_that_asks_no_more_is_not(self) -> None:
        self.clock.advance(SILENCE - 1)
        self.assertEqual(self.check(), "")
        self.clock.advance(1)
        self.assertIn("for 300 s", self.check())

    def test_one_that_cannot_claim_need_not_ask(self) -> None:
        self.could = False
        self.clock.advance(10 * SILENCE)
        self.assertEqual(self.check(), "")
