"""Last lines and exit statuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.interfaces import CommandRecord, ExitStatus
from tcworker.local_run.definitions import LocalTask
from tcworker.local_run.outcomes import Outcome, duration, exit_status

TASK = LocalTask("id", "build", "build.yml", {})


def outcome(state: str, reason: str, result: Any = None, waited_for: str | None = None) -> Outcome:
    run = {
        "runId": 0,
        "started": "2026-01-01T00:00:00.000Z",
        "resolved": "2026-01-01T00:00:01.500Z",
        "reasonResolved": reason,
    }
    return Outcome(TASK, {"state": state, "runs": [run]}, result, waited_for)


def result(exit: ExitStatus, out_of_memory: bool = False) -> Any:
    return SimpleNamespace(
        success=exit.success, killed=None, commands=[CommandRecord(["x"], exit)], out_of_memory=out_of_memory
    )


class TheLastLine(SynchronousTestCase):
    def test_of_a_task_that_is_completed(self) -> None:
        self.assertEqual(str(outcome("completed", "completed", result(ExitStatus(0)))), "build: completed in 1.5 s")

    def test_tells_the_exit_status(self) -> None:
        said = str(outcome("failed", "failed", result(ExitStatus(3))))
        self.assertEqual(said, "build: failed in 1.5 s: command 0 exited with status 3")

    def test_tells_the_signal_by_name(self) -> None:
        self.assertIn("was killed by SIGSEGV", str(outcome("failed", "failed", result(ExitStatus(None, 11)))))

    def test_tells_when_memory_ran_out(self) -> None:
        said = str(outcome("failed", "failed", result(ExitStatus(None, 9), out_of_memory=True)))
        self.assertIn("SIGKILL: the task ran out of memory", said)

    def test_tells_why_there_was_an_exception(self) -> None:
        said = str(outcome("exception", "malformed-payload"))
        self.assertEqual(said, "build: exception/malformed-payload in 1.5 s")

    def test_of_a_cancelled_task_needs_no_more_words(self) -> None:
        said = str(outcome("exception", "canceled", result(ExitStatus(None, 15))))
        self.assertEqual(said, "build: exception/canceled in 1.5 s")

    def test_of_a_task_that_never_ran(self) -> None:
        waiting = Outcome(
            TASK, {"state": "exception", "runs": [{"runId": 0, "reasonResolved": "canceled"}]}, None, "first"
        )
        self.assertEqual(str(waiting), "build: did not run, for first was not completed")

    def test_of_a_task_that_was_cancelled_before_it_ran(self) -> None:
        never = Outcome(TASK, {"state": "exception", "runs": [{"runId": 0, "reasonResolved": "canceled"}]})
        self.assertEqual(str(never), "build: exception/canceled")


class Durations(SynchronousTestCase):
    def test_are_as_exact_as_they_are_long(self) -> None:
        said = [duration(seconds) for seconds in (0.04, 59.94, 60, 3599, 3600, 7322)]
        self.assertEqual(said, ["0.0 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "2 h 02 min"])


class TheExitStatus(SynchronousTestCase):
    def test_is_that_of_the_worst(self) -> None:
        completed, failed = outcome("completed", "completed"), outcome("failed", "failed")
        exception = outcome("exception", "canceled")
        self.assertEqual(exit_status([completed]), 0)
        self.assertEqual(exit_status([failed, completed]), 1)
        self.assertEqual(exit_status([completed, exception, failed]), 2)

    def test_counts_no_task_that_another_kept_from_running(self) -> None:
        self.assertEqual(exit_status([outcome("failed", "failed"), outcome("exception", "canceled", None, "a")]), 1)
