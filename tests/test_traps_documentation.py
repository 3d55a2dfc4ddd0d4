"""docs/traps.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

TRAPS = Path(__file__).resolve().parents[1] / "docs" / "traps.md"

LINK = re.compile(r"\[`(\w+)\.(\w+)`\]\(\.\./([\w/]+)\.py\)")


class Traps(SynchronousTestCase):
    def setUp(self) -> None:
        lines = TRAPS.read_text().splitlines()
        self.rows = [line for line in lines if line.startswith("| ") and not line.startswith("| Trap")]

    def test_each_has_a_test_or_says_with_what_it_comes(self) -> None:
        self.assertGreater(len(self.rows), 40)
        self.assertEqual([row for row in self.rows if not (LINK.search(row) or "| comes with " in row)], [])

    def test_the_tests_are_there(self) -> None:
        for row in self.rows:
            for case, test, module in LINK.findall(row):
                self.assertTrue(callable(namedAny(f"{module.replace('/', '.')}.{case}.{test}")), row)
