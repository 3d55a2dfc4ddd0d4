"""docs/traps.md names tests that there are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.documented_tests import DOCS, tests_in


class Traps(SynchronousTestCase):
    def setUp(self) -> None:
        lines = (DOCS / "traps.md").read_text().splitlines()
        self.rows = [line for line in lines if line.startswith("| ") and not line.startswith("| Trap")]

    def test_each_has_a_test_or_says_with_what_it_comes(self) -> None:
        self.assertGreater(len(self.rows), 40)
        self.assertEqual([row for row in self.rows if not (tests_in(row) or "| comes with " in row)], [])

    def test_the_tests_are_there(self) -> None:
        self.assertEqual([test for row in self.rows for test in tests_in(row) if not test.exists], [])
