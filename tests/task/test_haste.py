"""How much time a run's uploads have."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.haste import Haste
from tcworker.task.speed import Speed


class Silence(SynchronousTestCase):
    """How long an answer may take."""

    def setUp(self) -> None:
        clock = Clock()
        self.left = 1200.0
        self.haste = Haste(clock.seconds, Speed(clock.seconds), lambda: self.left)

    def test_without_haste_as_long_as_ever(self) -> None:
        self.left = 3
        self.assertEqual(self.haste.silence(30), 30)

    def test_with_little_time_one_that_is_lost_does_not_cost_all_of_it(self) -> None:
        self.haste.begin(25)
        for left, silence in ((1200, 30), (24, 6), (3, 2), (0, 2)):
            self.left = left
            self.assertEqual(self.haste.silence(30), silence)
