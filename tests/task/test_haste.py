"""How much time uploads have when the worker must go."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import TooLate
from tcworker.task.haste import Haste
from tcworker.task.speed import ASSUMED, Speed


class Going(SynchronousTestCase):
    """A worker that is told to go."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.left = 1000.0
        self.haste = Haste(self.clock.seconds, Speed(self.clock.seconds), lambda: self.left)

    def test_without_haste_files_have_all_the_time(self) -> None:
        self.assertEqual((self.haste.begun, self.haste.files_left(), self.haste.errors_left()), (False, 1000, 1000))
        self.haste.check(10**15)
        self.assertIsNone(self.haste.judge_rest(10**15))

    def test_half_of_it_is_for_files_and_some_more_for_words_about_them(self) -> None:
        self.haste.begin(20)
        self.assertEqual((self.haste.files_left(), self.haste.errors_left()), (10, 13))
        self.clock.advance(4)
        self.assertEqual((self.haste.files_left(), self.haste.errors_left()), (6, 9))
        self.clock.advance(20)
        self.assertEqual((self.haste.files_left(), self.haste.errors_left()), (0, 0))

    def test_when_nothing_waits_for_them_it_is_nearly_all(self) -> None:
        self.haste.begin(20)
        self.haste.report_first()
        self.assertEqual((self.haste.files_left(), self.haste.errors_left()), (18, 20))

    def test_the_end_of_the_claim_is_the_end(self) -> None:
        self.haste.begin(20)
        self.left = 3.0
        self.assertEqual((self.haste.files_left(), self.haste.errors_left()), (3, 3))

    def test_a_second_notice_shortens_it(self) -> None:
        self.haste.begin(120)
        self.clock.advance(10)
        self.haste.begin(5)
        self.assertEqual(self.haste.files_left(), 2.5)

    def test_it_is_told_once_to_those_who_want_to_know(self) -> None:
        told: list[str] = []
        self.haste.on_begin(lambda: told.append("a"))
        unsubscribe = self.haste.on_begin(lambda: told.append("b"))
        unsubscribe()
        unsubscribe()
        self.haste.begin(20)
        self.haste.begin(10)
        self.assertEqual(told, ["a"])

    def test_what_takes_longer_is_too_late(self) -> None:
        self.haste.begin(20)
        size = int(10 * ASSUMED)
        self.haste.check(size)
        self.assertIsNone(self.haste.judge_rest(size))
        error = self.assertRaises(TooLate, self.haste.check, size * 3)
        self.assertIn("there are 10 s for it, and it would take 30 s at 20 MB/s", str(error))
        self.assertEqual(error.evidence, {"secondsLeft": 10, "secondsNeeded": 30})
        self.assertIsNotNone(self.haste.judge_rest(size * 3))
