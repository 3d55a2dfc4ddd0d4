"""docs/reliability.md names tests that there are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.documented_tests import DOCS, tests_in


class Reliability(SynchronousTestCase):
    def setUp(self) -> None:
        lines = (DOCS / "reliability.md").read_text().splitlines()
        self.rows = [line for line in lines if line.startswith("| ") and not line.startswith("| Fault")]

    def test_each_fault_has_a_test_and_says_what_happens(self) -> None:
        self.assertGreater(len(self.rows), 40)
        self.assertEqual([row for row in self.rows if not tests_in(row) or not row.split("|")[2].strip()], [])

    def test_the_tests_are_there(self) -> None:
        self.assertEqual([test for row in self.rows for test in tests_in(row) if not test.exists], [])
