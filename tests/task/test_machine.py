"""The machine of a run: the whole table, and the ways through it that matter most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import Cause, IntermittentTask, MalformedPayload, ResourceUnavailable, TaskFailed, TooLate
from tcworker.interfaces import CommandRecord, ExitStatus
from tcworker.task import machine
from tcworker.task.resolution import (
    CANCELED,
    CLAIM_LOST,
    COMPLETED,
    DEADLINE_EXCEEDED,
    FAILED,
    WORKER_SHUTDOWN,
    Resolution,
)
from tcworker.task.verdict import BY_QUEUE, Verdict, by_error, by_shutdown
from tests.machines import Calls, decided, pairs, state_of


@dataclass
class Result:
    """As much of a result as the machine looks at."""

    success: bool = True
    killed: str | None = None
    out_of_memory: bool = False
    commands: tuple[CommandRecord, ...] = ()


FINE = Result()
BROKEN = Result(success=False, commands=(CommandRecord(("false",), ExitStatus(1)),))
ERROR = ResourceUnavailable("no disk")
UNAVAILABLE = Resolution("exception", "resource-unavailable")
LOST = "the claim was lost; another worker may run the task by now"

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "rejected": (ERROR,),
    "finished": (FINE,),
    "decided_by_queue": (CANCELED,),
    "shutting_down": (60.0,),
    "error": (ERROR,),
}

WAYS: dict[str, list[tuple[Any, ...]]] = {
    "claimed": [],
    "loading": [("accepted",)],
    "running": [("accepted",), ("loaded",)],
    "uploading": [("accepted",), ("loaded",), ("finished", FINE)],
    "reporting": [("accepted",), ("loaded",), ("finished", FINE), ("uploaded",)],
    "cleanup": [("accepted",), ("loaded",), ("finished", FINE), ("uploaded",), ("reported",)],
    "done": [("accepted",), ("loaded",), ("finished", FINE), ("uploaded",), ("reported",), ("cleaned",)],
}

NO_DISK = ("explain", by_error(ERROR))
CANCEL = ("explain", BY_QUEUE[CANCELED])
LOSE = ("explain", BY_QUEUE[CLAIM_LOST])
REPORT_FIRST = [("explain", by_shutdown(60.0)), ("hurry", 60.0), ("report", WORKER_SHUTDOWN)]

TABLE: dict[tuple[str, str], tuple[str, list[tuple[Any, ...]]]] = {
    ("claimed", "accepted"): ("loading", [("load",)]),
    ("claimed", "rejected"): ("uploading", [NO_DISK, ("upload", None)]),
    ("claimed", "decided_by_queue"): ("uploading", [CANCEL, ("upload", None)]),
    ("claimed", "claim_lost"): ("uploading", [LOSE, ("upload", None)]),
    ("claimed", "shutting_down"): ("uploading", [*REPORT_FIRST, ("upload", None)]),
    ("claimed", "error"): ("uploading", [NO_DISK, ("upload", None)]),
    ("loading", "loaded"): ("running", []),
    ("loading", "decided_by_queue"): ("uploading", [CANCEL, ("discard",), ("upload", None)]),
    ("loading", "claim_lost"): ("uploading", [LOSE, ("discard",), ("upload", None)]),
    ("loading", "shutting_down"): ("uploading", [*REPORT_FIRST, ("discard",), ("upload", None)]),
    ("loading", "error"): ("uploading", [NO_DISK, ("discard",), ("upload", None)]),
    ("running", "finished"): ("uploading", [("upload", FINE)]),
    ("running", "aborted"): ("uploading", [("only_log",), ("upload", None)]),
    ("running", "reported"): ("running", []),
    ("running", "decided_by_queue"): ("running", [CANCEL, ("kill", "the task was canceled")]),
    ("running", "claim_lost"): ("running", [LOSE, ("abort", LOST)]),
    ("running", "shutting_down"): ("running", [*REPORT_FIRST, ("kill", "the worker is shutting down")]),
    ("running", "error"): ("running", [NO_DISK, ("kill", "no disk")]),
    ("uploading", "uploaded"): ("reporting", [("report", COMPLETED)]),
    ("uploading", "reported"): ("uploading", []),
    ("uploading", "decided_by_queue"): ("uploading", [CANCEL]),
    ("uploading", "claim_lost"): ("uploading", [LOSE, ("only_log",)]),
    ("uploading", "shutting_down"): ("uploading", [("hurry", 60.0)]),
    ("uploading", "error"): ("uploading", [NO_DISK]),
    ("reporting", "reported"): ("cleanup", [("clean_up",)]),
    ("reporting", "decided_by_queue"): ("cleanup", [CANCEL, ("drop_report",), ("clean_up",)]),
    ("reporting", "claim_lost"): ("cleanup", [LOSE, ("drop_report",), ("clean_up",)]),
    ("reporting", "shutting_down"): ("reporting", [("hurry", 60.0)]),
    ("cleanup", "cleaned"): ("done", [("done", COMPLETED)]),
    ("cleanup", "shutting_down"): ("cleanup", [("hurry", 60.0)]),
}
"""What happens where; a pair that is not here keeps the state and does nothing."""


class Driven(SynchronousTestCase):
    """A machine with a partner that writes down what it is asked for."""

    def setUp(self) -> None:
        self.calls = Calls()
        self.machine: Any = machine.new_run_machine(self.calls)  # type: ignore[arg-type]  # has every method

    def say(self, *inputs: tuple[Any, ...] | str) -> list[tuple[Any, ...]]:
        """Give inputs, and see what the last one brought about."""
        for one in inputs:
            self.calls.take()
            name, *arguments = (one,) if isinstance(one, str) else one
            getattr(self.machine, name)(*(arguments or ARGUMENTS.get(name, ())))
        return self.calls.take()

    def go_on_to_the_end(self, state: str) -> Resolution:
        """Let everything after a state go well, and see how the run ends."""
        names = ["finished", "uploaded", "reported", "cleaned"]
        made = self.say(*names[{"running": 0, "uploading": 1, "reporting": 2, "cleanup": 3}[state] :])
        return made[-1][1]  # type: ignore[no-any-return]  # done's argument


class TheTable(Driven):
    """Every pair of state and input."""

    def test_every_pair_is_decided(self) -> None:
        missing = pairs(machine._builder, machine.RunInputs) - decided(machine._builder)
        self.assertEqual(missing, set())

    def test_every_pair_does_what_the_table_says(self) -> None:
        for state, name in sorted(pairs(machine._builder, machine.RunInputs)):
            self.setUp()
            self.say(*WAYS[state])
            effects = self.say(name)
            expected = TABLE.get((state, name), (state, []))
            self.assertEqual((state_of(self.machine), effects), expected, f"{name} in {state}")


class WhichOutcomeWins(Driven):
    """The first one does, but for what the queue decides."""

    def test_all_well_is_completed(self) -> None:
        self.say(*WAYS["running"])
        self.assertEqual(self.go_on_to_the_end("running"), COMPLETED)

    def test_a_command_that_fails_is_failed_and_says_which(self) -> None:
        self.say(*WAYS["running"])
        effects = self.say(("finished", BROKEN))
        self.assertEqual(effects[0], ("explain", Verdict(FAILED, Cause.EXIT_STATUS, "command 0 exited with status 1")))
        self.assertEqual(self.go_on_to_the_end("uploading"), FAILED)

    def test_the_first_error_stays(self) -> None:
        self.say(*WAYS["running"], ("error", TaskFailed("too long")), ("error", ERROR))
        self.assertEqual(self.go_on_to_the_end("running"), FAILED)

    def test_a_killed_sandbox_keeps_the_reason_it_was_killed_for(self) -> None:
        self.say(*WAYS["running"], ("error", ERROR), ("finished", Result(success=False, killed="no disk")))
        self.assertEqual(self.go_on_to_the_end("uploading"), UNAVAILABLE)

    def test_a_missing_artifact_fails_a_run_whose_commands_went_well(self) -> None:
        self.say(*WAYS["uploading"], ("error", TaskFailed("artifact missing")))
        self.assertEqual(self.go_on_to_the_end("uploading"), FAILED)

    def test_what_the_queue_decided_replaces_an_error(self) -> None:
        for resolution in (CANCELED, DEADLINE_EXCEEDED):
            self.setUp()
            self.say(*WAYS["running"], ("error", ERROR), ("decided_by_queue", resolution))
            self.assertEqual(self.go_on_to_the_end("running"), resolution)

    def test_what_the_queue_decided_does_not_replace_what_it_was_told(self) -> None:
        self.say(*WAYS["running"], "shutting_down", "reported", "decided_by_queue")
        self.assertEqual(self.go_on_to_the_end("running"), WORKER_SHUTDOWN)

    def test_a_lost_claim_replaces_an_error(self) -> None:
        self.say(*WAYS["uploading"], "error", "claim_lost")
        self.assertEqual(self.go_on_to_the_end("uploading"), CLAIM_LOST)

    def test_a_malformed_payload_never_loads(self) -> None:
        self.say(("rejected", MalformedPayload("no command")))
        self.assertEqual(self.go_on_to_the_end("uploading"), Resolution("exception", "malformed-payload"))

    def test_a_task_that_asks_to_be_run_again(self) -> None:
        self.say(*WAYS["uploading"], ("error", IntermittentTask("status 4")))
        self.assertEqual(self.go_on_to_the_end("uploading"), Resolution("exception", "intermittent-task"))


class ReportingFirst(Driven):
    """A worker that must go tells the queue before it uploads, where the queue allows it."""

    def test_an_exception_is_reported_before_its_uploads(self) -> None:
        self.say(*WAYS["running"], "error")
        self.assertIn(("report", UNAVAILABLE), self.say("shutting_down"))

    def test_a_failed_run_is_not_since_the_queue_would_take_no_artifact_of_it(self) -> None:
        self.say(*WAYS["running"], ("error", TaskFailed("too long")))
        self.assertEqual([name for name, *_ in self.say("shutting_down")], ["hurry", "kill"])

    def test_a_cancelled_run_is_not_since_the_queue_knows(self) -> None:
        self.say(*WAYS["running"], "decided_by_queue")
        self.assertEqual([name for name, *_ in self.say("shutting_down")], ["hurry", "kill"])

    def test_an_exception_that_is_uploading_is_reported_at_once(self) -> None:
        self.say(*WAYS["uploading"], "error")
        self.assertEqual(self.say("shutting_down"), [("hurry", 60.0), ("report", UNAVAILABLE)])
        self.assertEqual(self.go_on_to_the_end("uploading"), UNAVAILABLE)

    def test_one_that_becomes_an_exception_then_is_too(self) -> None:
        self.say(*WAYS["uploading"], "shutting_down")
        self.assertEqual([name for name, *_ in self.say("error")], ["explain", "report"])
        self.assertEqual(self.say("error"), [])
        self.assertEqual(self.go_on_to_the_end("uploading"), UNAVAILABLE)

    def test_one_that_fails_then_is_not(self) -> None:
        self.say(*WAYS["uploading"], "shutting_down")
        self.assertEqual([name for name, *_ in self.say(("error", TaskFailed("no artifact")))], ["explain"])
        self.assertEqual(self.say(("error", TooLate("an hour"))), [])
        self.assertEqual(self.go_on_to_the_end("uploading"), FAILED)

    def test_a_second_notice_shortens_and_keeps_the_outcome(self) -> None:
        self.say(*WAYS["running"], "shutting_down")
        self.assertIn(("hurry", 5.0), self.say(("shutting_down", 5.0)))
        self.assertEqual(self.go_on_to_the_end("running"), WORKER_SHUTDOWN)
