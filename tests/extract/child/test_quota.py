"""How much may come out."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.extract.child.faults import ArchiveFault
from tcworker.extract.child.quota import BLOCK, Quota
from tcworker.extract.order import ExtractionLimits

MEGA, GIGA = 1 << 20, 1 << 30


class Limits(SynchronousTestCase):
    def setUp(self) -> None:
        self.taken = 0

    def quota(self, **limits: int) -> Quota:
        return Quota(ExtractionLimits(**limits), lambda: self.taken)

    def test_all_that_is_allowed_may_come(self) -> None:
        quota = self.quota(megabytes=10)
        quota.content(5 * MEGA)
        quota.nothing(5 * MEGA)
        self.assertRaises(ArchiveFault, quota.content, 1)

    def test_an_entry_is_a_block(self) -> None:
        quota = self.quota(megabytes=1)
        for _ in range(MEGA // BLOCK):
            quota.entry()
        self.assertRaises(ArchiveFault, quota.entry)

    def test_a_gigabyte_may_come_of_nothing(self) -> None:
        quota = self.quota()
        quota.content(GIGA)
        fault = self.assertRaises(ArchiveFault, quota.content, 1)
        self.assertIn("more than 1000 times as much came out of it (1024 MB) as went in (0 bytes)", str(fault))

    def test_after_that_as_much_as_went_in_allows(self) -> None:
        quota = self.quota()
        self.taken = 2 * MEGA
        for _ in range(2000):
            quota.content(MEGA)
        quota.content(0)
        self.assertRaises(ArchiveFault, lambda: [quota.content(MEGA) for _ in range(3)])
        self.taken = 100 * MEGA
        for _ in range(2000):
            quota.content(MEGA)
