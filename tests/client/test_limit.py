"""The time that an exchange has."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.limit import Limit


class LimitCase(SynchronousTestCase):
    idle = True

    def setUp(self) -> None:
        self.clock = Clock()
        self.ended: list[float] = []
        self.limit = Limit(self.clock, lambda: 10.0, self.idle)
        self.limit.start(lambda: self.ended.append(self.clock.seconds()))


class OfSilence(LimitCase):
    def test_bytes_give_it_anew(self) -> None:
        self.clock.advance(9)
        self.limit.moved()
        self.clock.pump([5, 5])
        self.assertEqual(self.ended, [19])
        self.assertEqual(self.limit.words, "nothing moved for 10 s")

    def test_it_stands_while_it_is_stopped(self) -> None:
        self.limit.stop()
        self.clock.advance(100)
        self.limit.go_on()
        self.clock.pump([9, 1])
        self.assertEqual(self.ended, [110])

    def test_going_on_twice_it_ends_once(self) -> None:
        self.clock.advance(5)
        self.limit.go_on()
        self.clock.pump([5, 5])
        self.assertEqual(self.ended, [15])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OfTheWhole(LimitCase):
    idle = False

    def test_bytes_do_not_lengthen_it(self) -> None:
        self.clock.advance(9)
        self.limit.moved()
        self.clock.advance(1)
        self.assertEqual((self.ended, self.limit.passed), ([10], True))
        self.assertEqual(self.limit.words, "no answer within 10 s")
