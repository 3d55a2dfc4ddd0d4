"""The runner of the suite tells the truth about trial's result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import run
from tests.leftovers import left_of


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


HANGS = """
import subprocess, threading, time
from twisted.trial.unittest import TestCase

class Hangs(TestCase):
    def test_a_thread(self):
        threading.Thread(target=time.sleep, args=(600,)).start()

    def test_a_child_of_a_group_of_its_own(self):
        child = subprocess.Popen(["sleep", "601"], start_new_session=True)
        with open("%s/child", "w") as file:
            print(child.pid, file=file)

class Fails(TestCase):
    def test_it(self):
        self.fail()
"""


class TestsThatLeaveSomethingBehind(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        (self.folder / "hangs.py").write_text(HANGS % self.folder.absolute())

    def start(self, names: str, patience: float) -> subprocess.Popen[str]:
        """Run tests with the runner, as a process."""
        program = f"from tests import run; run.run({names.split()}, {patience})"
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": f"{Path(run.__file__).parent.parent}:."},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def result(self, names: str, patience: float = 0.5) -> tuple[int, list[str]]:
        """Give the runner's exit status and its last lines, which begin with what it killed."""
        process = self.start(names, patience)
        printed, _ = process.communicate(timeout=60)
        lines = printed.splitlines()
        return process.returncode, [line for line in lines if line.startswith("killed") or " passed, " in line]

    def test_neither_a_thread_nor_a_child_keeps_the_runner_from_ending(self) -> None:
        status, lines = self.result("hangs")
        self.assertNotEqual(status, 0)
        self.assertEqual(lines[-1], "2 passed, 1 failed")
        self.assertEqual(len([line for line in lines if line.endswith("sleep 601")]), 1, lines)
        self.assertTrue(any("workertrial" in line for line in lines), lines)

    def test_who_hangs_though_all_passed_has_failed(self) -> None:
        status, lines = self.result("hangs.Hangs")
        self.assertNotEqual(status, 0)
        self.assertEqual(lines[-1], "2 passed, 0 failed")

    def test_nothing_is_killed_after_tests_that_end(self) -> None:
        self.assertEqual(self.result("hangs.Fails", 50), (1, ["0 passed, 1 failed"]))

    def test_a_runner_that_is_ended_takes_everything_along(self) -> None:
        process = self.start("hangs.Hangs", 600)
        assert process.stdout is not None
        while "PASSED" not in process.stdout.readline():
            """It hangs from now on."""
        process.terminate()
        process.communicate(timeout=30)
        self.assertEqual(left_of(int((self.folder / "child").read_text()), "no=mark"), [])
