"""The runner of the suite tells the truth about trial's result."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import run


class TheSummary(SynchronousTestCase):
    def test_a_suite_that_passed(self) -> None:
        counts = run.read_summary("PASSED (skips=2, successes=120)\n")
        assert counts is not None
        self.assertEqual(run.plain(counts), "120 passed, 0 failed, 2 skipped")

    def test_every_kind_of_failure_counts(self) -> None:
        line = "FAILED (failures=3, errors=1, expectedFailures=4, unexpectedSuccesses=2, successes=16)"
        counts = run.read_summary(line)
        assert counts is not None
        self.assertEqual(run.plain(counts), "16 passed, 6 failed")

    def test_nothing_ran(self) -> None:
        self.assertEqual(run.read_summary("PASSED"), {})

    def test_other_lines(self) -> None:
        self.assertIsNone(run.read_summary("test_it ... PASSED (successes=1)"))
        self.assertIsNone(run.read_summary("Ran 3 tests in 0.1s"))


class TestsThatDidNotRun(SynchronousTestCase):
    def test_a_coroutine_that_nobody_awaited(self) -> None:
        log = Path(self.mktemp())
        log.write_text("fine\nx.py:3: RuntimeWarning: coroutine 'Case.test_it' was never awaited\n")
        self.assertEqual(len(run.never_awaited([log])), 1)
