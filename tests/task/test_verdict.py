"""What the end of a run comes to in words, and whose doing it was."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.trial.unittest import SynchronousTestCase

from tcworker.causes import Cause, Whose
from tcworker.errors import (
    IntermittentTask,
    InternalError,
    MalformedPayload,
    NamingConflict,
    ResourceUnavailable,
    TaskError,
    TaskFailed,
    WorkerShutdown,
)
from tcworker.interfaces import CommandRecord, ExitStatus
from tcworker.task.resolution import CANCELED, CLAIM_LOST, DECIDED_BY_QUEUE, FAILED
from tcworker.task.verdict import BY_QUEUE, by_error, by_result, by_shutdown, command_evidence, why_failed

FINE = CommandRecord(("true",), ExitStatus(0))


@dataclass
class Result:
    """As much of a result as matters here."""

    commands: list[CommandRecord] = field(default_factory=list)
    killed: str | None = None
    out_of_memory: bool = False
    success: bool = False


def ended(status: int | None = None, signal: int | None = None, problem: str | None = None) -> Result:
    """A second command that ended so, after one that went well."""
    return Result([FINE, CommandRecord(("x",), ExitStatus(status, signal), wall=1.23456, peak=4096, problem=problem)])


class ByResult(SynchronousTestCase):
    """A task whose commands did not succeed."""

    def test_each_way_to_end_has_its_cause(self) -> None:
        ways = {
            Cause.EXIT_STATUS: ended(status=3),
            Cause.SIGNAL: ended(signal=11),
            Cause.NOT_STARTED: ended(problem="x was not found"),
            Cause.OUT_OF_MEMORY: Result([FINE], out_of_memory=True),
            Cause.TASK_FAULT: Result(),
        }
        for cause, result in ways.items():
            verdict = by_result(result)
            self.assertEqual((verdict.resolution, verdict.cause, cause.whose), (FAILED, cause, Whose.TASK))

    def test_one_that_somebody_killed_is_not_blamed_on_the_signal(self) -> None:
        result = ended(signal=15)
        result.killed = "enough"
        verdict = by_result(result)
        self.assertEqual((verdict.cause, verdict.why), (Cause.TASK_FAULT, "the task was killed: enough"))

    def test_it_says_which_command_and_how(self) -> None:
        self.assertEqual(why_failed(ended(status=3)), "command 1 exited with status 3")
        self.assertEqual(why_failed(ended(signal=11)), "command 1 was killed by SIGSEGV")
        self.assertEqual(why_failed(ended(signal=200)), "command 1 was killed by signal 200")
        self.assertEqual(why_failed(ended(problem="not there")), "command 1 could not be started: not there")

    def test_the_last_command_is_evidence(self) -> None:
        usage = {"number": 1, "seconds": 1.235, "peakMemory": 4096}
        self.assertEqual(command_evidence(ended(status=3)), {"command": {**usage, "status": 3}})
        self.assertEqual(command_evidence(ended(signal=9)), {"command": {**usage, "signal": "SIGKILL"}})
        self.assertEqual(command_evidence(ended(problem="no")), {"command": {**usage, "problem": "no"}})

    def test_where_no_command_ended_there_is_none(self) -> None:
        self.assertEqual((command_evidence(None), command_evidence(Result())), ({}, {}))


class ByError(SynchronousTestCase):
    """A run that ended with an error."""

    def test_every_kind_of_error_has_a_cause_of_its_own_if_nobody_says_another(self) -> None:
        kinds: dict[type[TaskError], Cause] = {
            MalformedPayload: Cause.MALFORMED_PAYLOAD,
            NamingConflict: Cause.MALFORMED_PAYLOAD,
            TaskFailed: Cause.TASK_FAULT,
            ResourceUnavailable: Cause.RESOURCE_UNAVAILABLE,
            IntermittentTask: Cause.EXIT_STATUS,
            WorkerShutdown: Cause.WORKER_SHUTDOWN,
            InternalError: Cause.WORKER_FAULT,
            TaskError: Cause.WORKER_FAULT,
        }
        for kind, cause in kinds.items():
            self.assertEqual(by_error(kind("why")).cause, cause, kind)

    def test_who_raises_it_can_say_it_more_exactly(self) -> None:
        verdict = by_error(TaskFailed("too long", cause=Cause.MAX_RUN_TIME, evidence={"seconds": 7}))
        self.assertEqual((verdict.cause, verdict.why, verdict.evidence), ("max-run-time", "too long", {"seconds": 7}))
        self.assertEqual(verdict.resolution, FAILED)

    def test_each_problem_of_a_payload_is_evidence(self) -> None:
        verdict = by_error(MalformedPayload("one", "two"))
        self.assertEqual((verdict.why, verdict.evidence), ("one\ntwo", {"problems": ["one", "two"]}))


class ByOthers(SynchronousTestCase):
    """The queue, and a worker that goes."""

    def test_there_is_something_to_say_of_all_that_the_queue_decides(self) -> None:
        self.assertEqual(BY_QUEUE.keys(), DECIDED_BY_QUEUE)
        self.assertEqual([verdict.resolution for verdict in BY_QUEUE.values()], list(BY_QUEUE))

    def test_a_cancelled_task_is_not_the_worker_s_doing_but_a_lost_claim_is(self) -> None:
        self.assertEqual(BY_QUEUE[CANCELED].cause.whose, Whose.TASK)
        self.assertEqual(BY_QUEUE[CLAIM_LOST].cause.whose, Whose.WORKER)

    def test_how_long_a_worker_had_is_evidence(self) -> None:
        self.assertEqual(by_shutdown(25.00049).evidence, {"secondsLeft": 25.0})
