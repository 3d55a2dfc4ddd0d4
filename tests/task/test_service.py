"""One run from its claim to the end of its cleanup, on a platform in memory and a clock of the test's own."""

from __future__ import annotations

import errno
import gzip
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tcworker.cache.places import Pressure
from tcworker.errors import IntermittentTask, InternalError, MalformedPayload, ResourceUnavailable, TaskFailed
from tcworker.interfaces import JSON, IEngine, IExecution, IFeature, IResult, ITaskContext, ITaskFeature
from tcworker.task.claim import Claim
from tcworker.task.resolution import CANCELED, CLAIM_LOST, COMPLETED, FAILED, WORKER_SHUTDOWN, Resolution
from tcworker.task.service import TaskService
from tcworker.testing.facilities import FakeFacilities, NoThreads
from tests.verdicts import read_verdict

BACKING = "public/logs/live_backing.log"
LIVE = "public/logs/live.log"
VERDICT = "public/logs/verdict.json"
STATUS = {"status": {"runs": [{"runId": 0, "state": "exception", "reasonResolved": "canceled"}]}}


@implementer(IFeature, ITaskFeature)
class Recorder:
    """A feature that writes down its hooks, and holds or fails those it is told to."""

    name = "recorder"
    schema: ClassVar[Mapping[str, Any]] = {"properties": {}, "required": []}
    after = ()

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.answers: dict[str, Deferred[None]] = {}

    def for_task(self, context: ITaskContext) -> ITaskFeature:
        return self

    def _hook(self, name: str) -> Deferred[None]:
        self.hooks.append(name)
        return self.answers.get(name) or succeed(None)

    def load(self, engine: IEngine) -> Deferred[None]:
        return self._hook("load")

    def started(self, execution: IExecution) -> Deferred[None]:
        return self._hook("started")

    def stopped(self, result: IResult) -> Deferred[None]:
        return self._hook("stopped")

    def upload(self, result: IResult) -> Deferred[None]:
        return self._hook("upload")

    def cleanup(self) -> Deferred[None]:
        return self._hook("cleanup")


class FakeCollector:
    """Counts how often there was no room."""

    def __init__(self) -> None:
        self.told = 0

    def begin_to_make_room(self, pressure: Pressure) -> None:
        self.told += pressure is Pressure.FULL


def _refuse(why: str) -> ITaskFeature:
    raise MalformedPayload(why)


class Running(TestCase):
    """A run, with everything around it in memory.

    @cvar settings: of the worker.
    """

    settings: ClassVar[Mapping[str, Any]] = {}

    def setUp(self) -> None:
        self.clock = Clock()
        self.feature = Recorder()
        self.folder = self.mktemp()
        self.facilities = FakeFacilities(self.clock, self.folder, features=[self.feature], **self.settings)
        self.queue = self.facilities.queue
        self.over: list[TaskService] = []
        self.ended: list[Resolution] = []
        self.suspect: list[InternalError] = []

    def run_task(self, *script: Mapping[str, Any], seconds: float = 1200, **payload: Any) -> TaskService:
        """Start a run of a script, and let what takes no time happen."""
        return self.run_claim(self.facilities.claim({"script": list(script), **payload}, seconds=seconds))

    def run_claim(self, claim: Claim) -> TaskService:
        """Start a run, and let what takes no time happen."""
        task = TaskService(
            claim,
            self.facilities,
            out_of_reach=self.over.append,
            only_cleanup_left=lambda task: None,
            ended=lambda task, resolution: self.ended.append(resolution),
            suspect=self.suspect.append,
        )
        task.startService()
        self.addCleanup(task.stopService)
        self.clock.advance(0)
        return task

    @property
    def log(self) -> str:
        """The log as it was published."""
        return gzip.decompress(self.facilities.contexts[0].stored[BACKING]).decode()

    @property
    def verdict(self) -> JSON:
        """The verdict as it was published."""
        return read_verdict(gzip.decompress(self.facilities.contexts[0].stored[VERDICT]))

    @property
    def published(self) -> list[str]:
        return [artifact.name for artifact in self.facilities.contexts[0].published]


class BusyThreads(NoThreads):
    """They do not come to check a payload before the test says so."""

    def __init__(self) -> None:
        self.free: Deferred[None] = Deferred()
        self.asked = False

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if work.__name__ != "check":
            return super().run(work, *args)
        self.asked = True
        return self.free.addCallback(lambda _: work(*args))


class ALargePayload(Running):
    """The others go on while it is checked."""

    def setUp(self) -> None:
        super().setUp()
        self.threads = BusyThreads()
        self.facilities.threads = self.threads

    def begin(self, **payload: Any) -> TaskService:
        task = self.run_task(*[{"print": "x"}] * 2000, **payload)
        self.assertTrue(self.threads.asked)
        self.assertEqual(self.published, [])
        return task

    def test_runs_when_it_is_checked(self) -> None:
        self.begin()
        self.threads.free.callback(None)
        self.clock.advance(0)
        self.assertEqual(self.queue.methods(), ["report_completed"])

    def test_that_is_malformed(self) -> None:
        self.begin(colour="red")
        self.threads.free.callback(None)
        self.assertIn("payload.colour: found an unknown key", self.log)
        self.assertEqual(self.queue.methods(), ["report_exception"])

    def test_that_is_canceled_meanwhile(self) -> None:
        self.begin().taken_away(CANCELED)
        self.assertEqual(sorted(self.published), [LIVE, BACKING, VERDICT])
        self.assertEqual((self.ended, self.feature.hooks), ([CANCELED], []))

    def test_of_which_the_worker_lets_go(self) -> None:
        task = self.begin()
        self.successResultOf(task.stopService())
        self.assertEqual((self.published, self.feature.hooks), ([], []))

    def test_a_small_one_needs_no_threads(self) -> None:
        self.run_task({"print": "x"})
        self.assertFalse(self.threads.asked)


class WhenAllGoesWell(Running):
    """A task that does what it should."""

    def test_it_is_reported_completed_after_its_log(self) -> None:
        self.run_task({"print": "hello"})
        self.assertEqual(sorted(self.published), [LIVE, BACKING])
        self.assertEqual(self.queue.methods(), ["report_completed"])
        self.queue.answer("report_completed")
        self.assertEqual(self.ended, [COMPLETED])

    def test_its_log_has_the_worker_s_lines_around_its_own(self) -> None:
        self.run_task({"print": "hello"})
        lines = [line.rpartition("] ")[2] for line in self.log.splitlines()]
        wanted = ["=== Task Starting ===", "hello", "=== Task Finished ==="]
        self.assertEqual([line for line in lines if line in wanted], wanted)

    def test_what_the_worker_knows_is_not_in_its_log(self) -> None:
        answer = self.facilities.claim_answer({"script": [{"print": "of-the-run, and of the worker a secret"}]})
        answer["credentials"]["accessToken"] = "of-the-run"
        self.run_claim(Claim.from_json(answer))
        self.assertIn("[masked], and of the worker a [masked]", self.log)

    def test_every_hook_is_called_in_its_order(self) -> None:
        self.run_task()
        self.queue.answer("report_completed")
        self.assertEqual(self.feature.hooks, ["load", "started", "stopped", "upload", "cleanup"])

    def test_it_is_remembered_until_nothing_of_it_is_left(self) -> None:
        self.run_task()
        self.assertEqual([name for name, *_ in self.facilities.memory.written], ["claimed", "sandboxed", "decided"])
        self.queue.answer("report_completed")
        self.assertEqual(self.facilities.memory.kept, {})

    def test_nothing_is_left(self) -> None:
        self.run_task({"print": "hello"})
        self.queue.answer("report_completed")
        self.assertEqual(os.listdir(os.path.join(self.folder, "runs")), [])
        self.assertEqual(self.facilities.platforms[0].machine.sandboxes, {})  # type: ignore[attr-defined]
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_its_sandbox_is_over_before_its_uploads_are(self) -> None:
        self.feature.answers["upload"] = Deferred()
        task = self.run_task()
        self.assertEqual((self.over, self.published), ([task], []))

    def test_the_claim_is_before_everything_in_the_state_store(self) -> None:
        stored: Deferred[None] = Deferred()
        self.patch(self.facilities.memory, "claimed", lambda record: stored)
        self.run_task({"print": "hello"})
        self.assertEqual(self.feature.hooks, [])
        stored.callback(None)
        self.assertEqual(self.feature.hooks[0], "load")

    def lose_calls(self, seconds: int) -> None:
        """Let time pass in which the queue is away."""
        for _ in range(seconds):
            for call in (*self.queue.waiting("report_completed"), *self.queue.waiting("reclaim_task")):
                self.queue.lose(call.method)
            self.clock.advance(1)

    def test_a_report_that_the_worker_has_no_time_for_is_kept_for_the_next_start(self) -> None:
        task = self.run_task(seconds=300)
        self.lose_calls(10)
        task.shut_down(20)
        self.lose_calls(20)
        self.assertEqual(self.ended, [COMPLETED])
        self.assertEqual([str(run.resolution) for run in self.facilities.memory.kept.values()], ["completed"])

    def test_a_report_that_nobody_takes_is_nobody_s_business_after_the_claim(self) -> None:
        self.run_task(seconds=300)
        self.lose_calls(400)
        self.assertEqual(len(self.ended), 1)
        self.assertEqual((self.facilities.memory.kept, self.clock.getDelayedCalls()), ({}, []))


class Quietly(Running):
    """A task that wants no log to be published."""

    def test_neither_the_log_nor_a_link_to_it_is(self) -> None:
        self.run_task({"print": "hello"}, features={"backingLog": False})
        self.assertEqual(self.published, [])
        self.assertEqual(self.queue.methods(), ["report_completed"])
        self.queue.answer("report_completed")
        self.assertEqual(os.listdir(os.path.join(self.folder, "runs")), [])


class WhenTheTaskFails(Running):
    """Faults of the task or of what it asks for."""

    def test_a_status_other_than_0_is_failed_and_says_so_last(self) -> None:
        self.run_task({"exit": 3})
        self.assertEqual(self.queue.methods(), ["report_failed"])
        self.assertIn("[taskcluster:error] command 0 exited with status 3", self.log.splitlines()[-1])

    def test_a_signal_is_named(self) -> None:
        self.run_task({"signal": 11})
        self.assertIn("was killed by SIGSEGV", self.log)

    def test_a_payload_that_does_not_fit_is_malformed_and_says_every_place(self) -> None:
        self.run_task({}, bogus=1)
        self.assertEqual(self.queue.calls[-1].body, {"reason": "malformed-payload"})
        self.assertIn("payload.script[0]", self.log)
        self.assertIn("bogus", self.log)
        self.assertEqual(self.feature.hooks, [])

    def test_all_that_is_wrong_with_a_payload_is_said_at_once(self) -> None:
        self.patch(Recorder, "for_task", lambda feature, context: _refuse("no such feature"))
        self.run_task(malformed="not for this platform", logs={"live": "a", "backing": "a"})
        self.assertEqual(self.queue.calls[-1].body, {"reason": "malformed-payload"})
        for part in ("same name", "no such feature", "not for this platform"):
            self.assertIn(part, self.log)

    def test_a_disk_that_is_full_is_nobody_s_fault(self) -> None:
        self.feature.answers["load"] = fail(OSError(errno.ENOSPC, "No space left on device", "/tasks/x"))
        self.run_task()
        self.assertEqual(self.queue.calls[-1].body, {"reason": "resource-unavailable"})
        self.assertIn("/tasks/x", self.log)

    def test_whoever_makes_room_is_told_of_that_and_of_nothing_else(self) -> None:
        collector = FakeCollector()
        self.facilities.collector = collector  # type: ignore[assignment]  # as far as runs use one
        self.run_task({"exit": 1})
        self.queue.answer("report_failed")
        self.assertEqual(collector.told, 0)
        self.feature.answers["load"] = fail(OSError(errno.EDQUOT, "Disk quota exceeded", "/tasks/x"))
        self.run_task()
        self.assertEqual(collector.told, 1)

    def test_a_sandbox_that_does_not_start(self) -> None:
        self.run_task(start={"reason": "resource-unavailable", "message": "no disk"})
        self.assertEqual(self.queue.calls[-1].body, {"reason": "resource-unavailable"})
        self.assertIn("no disk", self.log)

    def test_a_feature_that_cannot_load_keeps_the_sandbox_from_starting(self) -> None:
        self.feature.answers["load"] = fail(TaskFailed("no such mount"))
        self.run_task({"print": "hello"})
        self.assertEqual(self.queue.methods(), ["report_failed"])
        self.assertNotIn("hello", self.log)
        self.assertIn("no such mount", self.log)
        self.queue.answer("report_failed")
        self.assertEqual(self.feature.hooks, ["load", "cleanup"])

    def test_a_feature_can_end_the_run_at_any_time(self) -> None:
        self.run_task({"sleep": 100})
        self.facilities.contexts[0].fail(TaskFailed("enough"))
        self.clock.advance(1)
        self.assertEqual(self.queue.methods(), ["report_failed"])
        self.assertIn("[taskcluster:error] enough", self.log)

    def test_what_nobody_foresaw_is_an_internal_error_with_an_incident(self) -> None:
        self.feature.answers["upload"] = fail(ZeroDivisionError("a secret detail"))
        self.run_task()
        self.assertEqual(self.queue.calls[-1].body, {"reason": "internal-error"})
        self.assertIn("incident", self.log)
        self.assertNotIn("a secret detail", self.log)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_a_feature_can_judge_how_the_task_ended(self) -> None:
        self.feature.answers["stopped"] = fail(IntermittentTask("another time, perhaps"))
        self.run_task({"exit": 3})
        self.assertEqual(self.queue.calls[-1].body, {"reason": "intermittent-task"})
        self.assertEqual(self.log.splitlines()[-1], "[taskcluster:error] another time, perhaps")
        self.assertNotIn("ending the task", self.log)

    def test_a_fatal_error_makes_the_worker_suspect(self) -> None:
        error = InternalError("the disk is read-only", fatal=True)
        self.feature.answers["started"] = fail(error)
        self.run_task({"sleep": 1})
        self.clock.advance(10)
        self.assertEqual([str(error) for error in self.suspect], ["the disk is read-only"])

    def test_a_failing_cleanup_does_not_keep_the_rest_from_being_cleaned(self) -> None:
        self.feature.answers["cleanup"] = fail(OSError("busy"))
        self.run_task()
        self.queue.answer("report_completed")
        self.assertEqual((self.ended, os.listdir(os.path.join(self.folder, "runs"))), ([COMPLETED], []))
        self.flushLoggedErrors(OSError)


class TheVerdict(Running):
    """Why a run was not completed, beside its log."""

    def test_it_says_the_same_as_the_log_s_last_line(self) -> None:
        self.run_task({"print": "hello"}, {"exit": 3})
        self.assertEqual((self.verdict["cause"], self.verdict["evidence"]["command"]["status"]), ("exit-status", 3))
        self.assertIn(self.verdict["message"], self.log.splitlines()[-1])

    def test_it_is_there_before_the_run_is_reported(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"exit": 3})
        self.assertEqual((self.published, self.queue.methods()), ([], []))
        self.feature.answers["upload"].callback(None)
        self.assertEqual((sorted(self.published), self.queue.methods()), ([LIVE, BACKING, VERDICT], ["report_failed"]))

    def test_what_is_wrong_with_the_log_itself_is_in_it(self) -> None:
        task = self.run_task({"sleep": 5})
        context = self.facilities.contexts[0]
        self.patch(task._log, "seal", lambda: fail(ResourceUnavailable("the disk is gone")))
        self.assertRaises(KeyError, lambda: context.stored[VERDICT])
        self.clock.advance(5)
        self.assertEqual((self.verdict["cause"], self.verdict["message"]), ("resource-unavailable", "the disk is gone"))

    def test_of_a_run_that_is_cancelled_while_it_is_reported_as_completed(self) -> None:
        task = self.run_task({"print": "hello"})
        self.assertEqual((self.queue.methods(), VERDICT in self.published), (["report_completed"], False))
        task.taken_away(CANCELED)
        self.assertEqual((self.verdict["cause"], self.ended), ("canceled", [CANCELED]))

    def test_of_a_payload_that_cannot_be_run(self) -> None:
        self.run_task({}, bogus=1)
        self.assertEqual((self.verdict["cause"], self.verdict["whose"]), ("malformed-payload", "task"))
        self.assertTrue(any("bogus" in problem for problem in self.verdict["evidence"]["problems"]))

    def test_of_a_claim_that_is_lost_before_anything_runs(self) -> None:
        self.feature.answers["load"] = Deferred()
        self.run_task({"print": "hello"}).taken_away(CLAIM_LOST)
        self.assertEqual((self.verdict["cause"], self.ended), ("claim-lost", [CLAIM_LOST]))
        self.assertIn("the claim was lost", self.log.splitlines()[-1])

    def test_what_is_masked_in_the_log_is_in_it_too(self) -> None:
        answer = self.facilities.claim_answer({"script": [{"sleep": 5}]})
        answer["credentials"]["accessToken"] = "of-the-run"
        self.run_claim(Claim.from_json(answer))
        self.facilities.contexts[0].fail(TaskFailed("not of-the-run"))
        self.clock.advance(1)
        self.assertEqual(self.verdict["message"], "not [masked]")


class WhenTheQueueEndsIt(Running):
    """Cancelled, or the claim lost."""

    def cancel(self) -> None:
        self.clock.advance(1020)
        self.queue.refuse("reclaim_task")
        self.queue.answer("status", STATUS)

    def test_a_cancelled_run_is_killed_and_publishes_and_reports_nothing(self) -> None:
        self.run_task({"print": "hello"}, {"sleep": 5000})
        self.cancel()
        self.clock.advance(1)
        self.assertIn("hello", self.log)
        self.assertIn("the task was canceled", self.log)
        self.assertEqual(self.ended, [CANCELED])
        self.assertEqual([name for name in self.queue.methods() if name.startswith("report")], [])

    def test_a_task_that_ignores_sigterm_is_killed_after_the_grace(self) -> None:
        self.run_task({"ignore_term": True}, {"sleep": 5000})
        self.cancel()
        self.clock.advance(4)
        self.assertEqual(self.ended, [])
        self.clock.advance(2)
        self.assertEqual(self.ended, [CANCELED])

    def test_one_cancelled_while_loading_never_starts(self) -> None:
        self.feature.answers["load"] = Deferred()
        self.run_task({"print": "hello"})
        self.cancel()
        self.assertEqual(self.ended, [CANCELED])
        self.assertNotIn("hello", self.log)

    def test_a_lost_claim_publishes_the_log_alone(self) -> None:
        self.run_task({"sleep": 5000})
        self.queue.always("reclaim_task", lambda call: (_ for _ in ()).throw(ValueError))
        self.clock.advance(1020)
        self.clock.advance(1)
        self.assertEqual((self.ended, self.feature.hooks), ([CLAIM_LOST], ["load", "started", "cleanup"]))
        self.assertIn("claim was lost", self.log)
        self.flushLoggedErrors(ValueError)

    def test_reclaimed_credentials_are_kept_before_they_are_used(self) -> None:
        self.run_task({"sleep": 5000})
        self.clock.advance(1020)
        self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
        self.assertIn("reclaimed", [name for name, *_ in self.facilities.memory.written])
        self.assertEqual(self.facilities.contexts[0].credentials.access_token, "next")

    def test_a_disk_that_is_full_when_they_come_costs_no_run(self) -> None:
        self.patch(self.facilities.memory, "reclaimed", lambda *args: fail(OSError(errno.ENOSPC, "No space")))
        self.run_task({"sleep": 2000})
        self.clock.advance(1020)
        self.queue.answer("reclaim_task", self.facilities.reclaim_answer())
        self.assertEqual((self.ended, self.facilities.contexts[0].credentials.access_token), ([], "next"))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class WithMoreGrace(Running):
    """C{killGraceSecs}."""

    settings: ClassVar = {"kill_grace_secs": 60}

    def test_a_task_that_ignores_sigterm_has_more_time(self) -> None:
        self.run_task({"ignore_term": True}, {"sleep": 50}, seconds=200).taken_away(CANCELED)
        self.clock.advance(49)
        self.assertEqual(self.ended, [])
        self.clock.advance(2)
        self.assertEqual(self.ended, [CANCELED])


class WhenTheWorkerMustGo(Running):
    """Shutting down with a run in hand."""

    def test_the_report_comes_before_the_uploads(self) -> None:
        self.run_task({"print": "hello"}, {"sleep": 5000}).shut_down(60)
        self.clock.advance(1)
        self.assertEqual((self.queue.calls[-1].body, self.published), ({"reason": "worker-shutdown"}, []))
        self.queue.answer("report_exception")
        self.assertEqual(sorted(self.published), [LIVE, BACKING, VERDICT])
        self.assertEqual(self.ended, [WORKER_SHUTDOWN])
        self.assertIn("hello", self.log)

    def test_the_log_comes_before_the_artifacts_then(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"sleep": 5000}).shut_down(60)
        self.clock.advance(1)
        self.queue.answer("report_exception")
        self.assertEqual((sorted(self.published), self.ended), ([LIVE, BACKING, VERDICT], []))

    def test_the_grace_of_a_killed_task_fits_into_the_time(self) -> None:
        self.run_task({"ignore_term": True}, {"sleep": 5000}).shut_down(8)
        self.clock.advance(2)
        self.queue.answer("report_exception")
        self.assertEqual(self.ended, [WORKER_SHUTDOWN])

    def test_a_second_order_to_go_is_no_news_for_its_log_but_the_next_reason_is(self) -> None:
        task = self.run_task({"ignore_term": True}, {"sleep": 5000})
        task.shut_down(60)
        task.shut_down(20)
        task.taken_away(CANCELED)
        self.queue.answer("report_exception")
        self.clock.advance(20)
        why = re.findall("ending the task: (.*)", self.log)
        self.assertEqual(why, ["the worker is shutting down", "the task was canceled"])

    def test_a_run_that_is_uploading_goes_on(self) -> None:
        self.feature.answers["upload"] = Deferred()
        task = self.run_task()
        task.shut_down(60)
        self.feature.answers["upload"].callback(None)
        self.queue.answer("report_completed")
        self.assertEqual(self.ended, [COMPLETED])

    def test_artifacts_that_would_take_too_long_are_cut_for_log_and_report(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"print": "hello"}).shut_down(20)
        self.clock.advance(8)
        self.assertEqual((self.published, self.queue.calls), ([], []))
        self.clock.advance(1)
        self.assertEqual(self.queue.answer("report_exception").body, {"reason": "worker-shutdown"})
        self.assertIn("before all artifacts are published", self.log)
        self.assertEqual(self.ended, [])

    def test_artifacts_go_on_after_log_and_report_until_the_worker_must_go(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task().shut_down(20)
        self.clock.advance(9)
        self.queue.answer("report_exception")
        self.clock.advance(8)
        self.assertEqual(self.ended, [])
        self.feature.answers["upload"].callback(None)
        self.assertEqual((self.ended, self.clock.getDelayedCalls()), ([WORKER_SHUTDOWN], []))

    def test_artifacts_that_nobody_can_wait_for_any_more_are_cut(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task().shut_down(20)
        self.clock.advance(9)
        self.queue.answer("report_exception")
        self.clock.advance(9)
        self.assertEqual((self.ended, self.clock.getDelayedCalls()), ([WORKER_SHUTDOWN], []))

    def test_those_of_a_failed_run_are_cut_for_log_and_report_since_the_queue_takes_none_later(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"exit": 1}).shut_down(20)
        self.clock.advance(11)
        self.assertEqual(self.published, [])
        self.clock.advance(1)
        self.assertIn(BACKING, self.published)
        self.queue.answer("report_failed")
        self.assertEqual((self.ended, self.clock.getDelayedCalls()), ([FAILED], []))

    def test_an_exception_is_reported_and_its_log_published_at_once_while_artifacts_go_on(self) -> None:
        self.feature.answers["upload"] = Deferred()
        task = self.run_task()
        self.facilities.contexts[0].fail(IntermittentTask("another time"))
        self.assertEqual((self.published, self.queue.calls), ([], []))
        task.shut_down(20)
        self.queue.answer("report_exception")
        self.assertIn("another time", self.log)
        self.assertEqual(self.ended, [])

    def test_a_report_that_hangs_does_not_keep_the_log_from_being_published(self) -> None:
        self.run_task({"print": "hello"}, {"sleep": 5000}).shut_down(30)
        self.clock.advance(1)
        self.assertEqual(self.published, [])
        self.clock.advance(9)
        self.assertIn("hello", self.log)
        self.assertEqual(len(self.queue.waiting("report_exception")), 1)

    def test_one_that_was_cancelled_leaves_time_for_its_log(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"print": "hello"}, seconds=300).taken_away(CANCELED)
        self.clock.advance(300 * 0.65)
        self.assertIn("hello", self.log)
        self.assertEqual(self.ended, [CANCELED])

    def test_of_one_that_was_cancelled_the_queue_takes_nothing_after_25_minutes_however_long_its_claim(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"print": "hello"}, seconds=7200).taken_away(CANCELED)
        self.assertEqual(self.facilities.contexts[0].haste.all_left(), 25 * 60)
        self.clock.advance(25 * 60 * 0.65)
        self.assertIn("hello", self.log)
        self.assertEqual(self.ended, [CANCELED])

    def test_nor_of_one_that_was_reported_as_an_exception(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task({"sleep": 9000}, seconds=7200).shut_down(7200)
        self.clock.advance(0)
        self.queue.answer("report_exception")
        self.assertEqual((self.ended, self.facilities.contexts[0].time_left()), ([], 25 * 60))

    def test_what_is_uploaded_in_time_is_completed_and_leaves_no_timer(self) -> None:
        self.feature.answers["upload"] = Deferred()
        self.run_task().shut_down(20)
        self.feature.answers["upload"].callback(None)
        self.queue.answer("report_completed")
        self.assertEqual((self.ended, self.clock.getDelayedCalls()), ([COMPLETED], []))

    def test_stopping_the_service_leaves_no_timer_and_keeps_what_is_owed(self) -> None:
        task = self.run_task({"sleep": 5000})
        self.successResultOf(task.stopService())
        self.assertEqual(len(self.facilities.memory.kept), 1)


class FailedOrNot(Running):
    """Several things go wrong: the first counts."""

    def test_a_failing_command_and_a_failing_upload(self) -> None:
        self.feature.answers["upload"] = fail(TaskFailed("artifact missing"))
        self.run_task({"exit": 1})
        self.queue.answer("report_failed")
        self.assertEqual(self.ended, [FAILED])
        self.assertTrue(self.log.splitlines()[-1].endswith("command 0 exited with status 1"))
