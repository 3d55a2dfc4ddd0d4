"""The slots of a worker: who has one, and who gives it up early."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims.slots import Slots


class SlotsTestCase(SynchronousTestCase):
    overlap = True

    def setUp(self) -> None:
        self.freed = 0
        self.slots: Slots[str] = Slots(2, self.overlap, self.free)

    def free(self) -> None:
        self.freed += 1

    def take(self, *runs: str) -> None:
        for run in runs:
            self.slots.take(run)

    def test_a_run_has_its_slot_until_it_leaves(self) -> None:
        self.take("a", "b")
        self.assertEqual((self.slots.free, self.freed), (0, 0))
        self.slots.leave("a")
        self.assertEqual((self.slots.free, self.freed), (1, 1))

    def test_one_that_leaves_twice_frees_one_slot(self) -> None:
        self.take("a")
        self.slots.leave("a")
        self.slots.leave("a")
        self.assertEqual((self.slots.free, self.freed), (2, 1))


class Overlapping(SlotsTestCase):
    def test_a_run_that_is_out_of_reach_gives_up_its_slot_once(self) -> None:
        self.take("a")
        self.slots.out_of_reach("a")
        self.slots.leave("a")
        self.assertEqual((self.slots.free, self.freed), (2, 1))

    def test_no_more_of_them_than_there_are_slots(self) -> None:
        for run in "abcd":
            self.take(run)
            self.slots.out_of_reach(run)
        self.assertEqual(self.slots.free, 0)
        self.slots.leave("a")
        self.assertEqual(self.slots.free, 1)


class WithoutOverlap(SlotsTestCase):
    overlap = False

    def test_a_run_keeps_its_slot_until_it_leaves(self) -> None:
        self.take("a")
        self.slots.out_of_reach("a")
        self.assertEqual(self.slots.free, 1)
