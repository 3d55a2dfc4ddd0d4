"""The lines about each command in the log of a task."""

from __future__ import annotations

import signal
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.report import closing, not_started, opening
from tcworker.interfaces import CommandRecord, ExitStatus


def record(status: int | None, number: int | None = None, problem: str | None = None) -> CommandRecord:
    exit = ExitStatus(status, number)
    return CommandRecord(["true"], exit, user=1.5, system=0.25, wall=61.0, peak=3 * 2**20, problem=problem)


class Opening(SynchronousTestCase):
    def test_arguments_as_a_shell_would_take_them(self) -> None:
        self.assertEqual(opening(0, ["sh", "-c", "echo 'a b'"]), "Executing command 0: sh -c 'echo '\"'\"'a b'\"'\"''")
        self.assertEqual(opening(2, ["true", ""]), "Executing command 2: true ''")

    def test_arguments_that_are_no_text(self) -> None:
        self.assertEqual(opening(0, ["\udcff"]), "Executing command 0: '\ufffd'")


class Closing(SynchronousTestCase):
    def test_one_that_succeeded(self) -> None:
        self.assertEqual(
            closing(record(0)).splitlines(),
            [
                "  Exit Code: 0",
                "  User Time: 1.500 s",
                "Kernel Time: 0.250 s",
                "  Wall Time: 61.000 s",
                "Peak Memory: 3.0 MiB",
                "     Result: SUCCEEDED",
            ],
        )

    def test_memory_of_which_nobody_can_tell(self) -> None:
        lines = closing(replace(record(0), peak=0, least_peak=8_000_000)).splitlines()
        self.assertIn("Peak Memory: less than 8 MiB", lines)

    def test_one_that_failed(self) -> None:
        lines = closing(record(77)).splitlines()
        self.assertEqual((lines[0], lines[-1]), ("  Exit Code: 77", "     Result: FAILED"))

    def test_signals_have_names(self) -> None:
        for number, name in ((signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "SIGKILL"), (signal.SIGRTMIN + 1, "35")):
            first = closing(record(None, number)).splitlines()[0]
            self.assertIn("Exit Code: none, killed by ", first)
            self.assertIn(name, first)

    def test_one_that_the_worker_ended(self) -> None:
        lines = closing(record(None, signal.SIGTERM), "max run time exceeded").splitlines()
        self.assertEqual(lines[0], "Command ABORTED after 61.000 s: max run time exceeded")
        self.assertEqual(lines[-1], "     Result: ABORTED")

    def test_one_that_could_not_be_started(self) -> None:
        self.assertEqual(not_started(record(None, None, "no such file")), "Command could not be started: no such file")
