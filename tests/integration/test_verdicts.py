"""Every cause for which a run may not be completed, each produced by a run: its verdict, and its log's last line."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tcworker.causes import Cause
from tcworker.client import services
from tcworker.embedded.times import Times
from tcworker.engine.native import home
from tcworker.errors import ResourceUnavailable, TaskFailed
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature
from tcworker.task import object_upload, verdict_file
from tcworker.waiting import pause
from tests.definitions import date, shell
from tests.integration.task_case import FILE, TaskCase
from tests.integration.task_client import Outcome, TaskClient
from tests.integration.worker_case import WorkerCase
from tests.surroundings import only_root
from tests.verdicts import read_verdict


async def judged(client: TaskClient, task_id: str, patience: float = 30) -> Outcome:
    """Give what is to be seen of the first run of a task that is over for the queue, once its verdict is there."""
    end = reactor.seconds() + patience
    while reactor.seconds() < end:
        runs = (await client.queue.status(task_id))["status"]["runs"]
        if runs and runs[0].get("reasonResolved") and await _can_be_read(client, task_id):
            return await client.seen(task_id, runs, 0)
        await pause(reactor, 0.1)
    raise AssertionError(f"no log and verdict of {task_id} in {patience} s")


async def _can_be_read(client: TaskClient, task_id: str) -> bool:
    """Say whether log and verdict of a task's first run are there: what is listed may still be on its way."""
    listed = [artifact["name"] for artifact in (await client.queue.list_artifacts(task_id, 0))["artifacts"]]
    wanted = [name for name in listed if "backing" in name or name.endswith("/verdict.json")]
    answers = [await client.download(task_id, 0, name, lambda _: None) for name in wanted]
    return [answer.status for answer in answers] == [200, 200]


class VerdictCase(TaskCase):
    """Tests that look at why a run was not completed."""

    def assertJudged(self, outcome: Outcome, cause: Cause, message: str, **evidence: Any) -> None:
        """Fail unless a verdict has this cause and message, and some of this evidence, and the log ends with it."""
        verdict = outcome.verdict
        self.assertEqual((verdict["cause"], verdict["taskId"]), (cause, outcome.task_id), outcome.log)
        self.assertIn(message, verdict["message"])
        self.assertEqual({**verdict["evidence"], **evidence}, verdict["evidence"])
        self.assertEqual(outcome.log.splitlines()[-1], f"[taskcluster:error] {verdict['message'].splitlines()[-1]}")
        run = outcome.runs[verdict["runId"]]
        self.assertEqual((verdict["state"], verdict["reason"]), (run["state"], run["reasonResolved"]))


class ByTheTask(VerdictCase):
    async def test_a_completed_run_has_no_verdict(self) -> None:
        outcome = await self.run_task(shell("true"))
        self.assertEqual((outcome.resolution, outcome.verdict), ("completed", None))
        self.assertNotIn("public/logs/verdict.json", outcome.artifacts)

    async def test_exit_status(self) -> None:
        outcome = await self.run_task(shell("true", "sleep 0.1; exit 3"))
        self.assertJudged(outcome, Cause.EXIT_STATUS, "command 1 exited with status 3")
        command = outcome.verdict["evidence"]["command"]
        self.assertEqual((command["number"], command["status"]), (1, 3))
        self.assertGreater(command["seconds"], 0)

    async def test_exit_status_by_which_it_asks_for_another_run(self) -> None:
        outcome = await self.run_task(shell("exit 4", onExitStatus={"retry": [4]}))
        self.assertJudged(outcome, Cause.EXIT_STATUS, "asks for another run")
        self.assertEqual(outcome.verdict["reason"], "intermittent-task")

    async def test_signal(self) -> None:
        outcome = await self.run_task(shell("kill -SEGV $$"))
        self.assertJudged(outcome, Cause.SIGNAL, "command 0 was killed by SIGSEGV")
        self.assertEqual(outcome.verdict["evidence"]["command"]["signal"], "SIGSEGV")

    async def test_not_started(self) -> None:
        outcome = await self.run_task({"command": [["no-such-command"]], "maxRunTime": 60})
        self.assertJudged(outcome, Cause.NOT_STARTED, "could not be started")
        self.assertIn("was not found", outcome.verdict["evidence"]["command"]["problem"])

    async def test_max_run_time(self) -> None:
        outcome = await self.run_task(shell("sleep 60", maxRunTime=1))
        self.assertJudged(outcome, Cause.MAX_RUN_TIME, "max run time exceeded", seconds=1)
        self.assertEqual(outcome.verdict["evidence"]["command"]["signal"], "SIGTERM")

    async def test_idle_output(self) -> None:
        outcome = await self.run_task(shell("sleep 60", idleOutputTimeoutSecs=1))
        self.assertJudged(outcome, Cause.IDLE_OUTPUT, "printed nothing for 1 seconds", seconds=1)

    async def test_malformed_payload(self) -> None:
        logs = {"live": "private/live", "backing": "private/run/backing.log"}
        outcome = await self.run_task({"command": "no list", "colour": "red", "maxRunTime": 60, "logs": logs})
        self.assertJudged(outcome, Cause.MALFORMED_PAYLOAD, "payload.colour")
        self.assertEqual(len(outcome.verdict["evidence"]["problems"]), 2)

    async def test_artifact_missing(self) -> None:
        outcome = await self.run_task(shell("true", artifacts=[FILE]))
        evidence = {"artifact": "public/out.txt", "reason": "file-missing-on-worker"}
        self.assertJudged(outcome, Cause.ARTIFACT_MISSING, "TASK FAILURE during artifact upload", **evidence)

    async def test_beside_a_backing_log_that_is_elsewhere(self) -> None:
        outcome = await self.run_task(shell("exit 1", logs={"live": "public/l", "backing": "public/a/backing"}))
        self.assertIn("public/a/verdict.json", outcome.artifacts)
        self.assertEqual(outcome.artifacts["public/a/verdict.json"]["contentType"], "application/json")

    async def test_what_the_task_itself_puts_there_is_left_out(self) -> None:
        script = "mkdir logs; echo '{}' > logs/verdict.json; exit 1"
        folder = {"type": "directory", "path": "logs", "name": "public/logs"}
        outcome = await self.run_task(shell(script, artifacts=[folder]))
        self.assertJudged(outcome, Cause.EXIT_STATUS, "status 1")
        self.assertIn("public/logs/verdict.json is left out", outcome.log)


class AsObjects(VerdictCase):
    settings: ClassVar = {"createObjectArtifacts": True}

    async def test_it_is_published_as_the_log_is(self) -> None:
        outcome = await self.run_task(shell("exit 3"))
        self.assertJudged(outcome, Cause.EXIT_STATUS, "status 3")
        self.assertEqual(outcome.artifacts["public/logs/verdict.json"]["storageType"], "object")

    async def test_taskcluster_away(self) -> None:
        self.patch(services, "ATTEMPTS", 2)
        self.patch(object_upload, "LOCKED", replace(object_upload.LOCKED, most=2))
        self.refuse("POST", "/artifacts/public/out.txt", 500)
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        self.assertJudged(outcome, Cause.TASKCLUSTER_AWAY, "createArtifact: 500", what="artifact public/out.txt")


class WithinLimits(VerdictCase):
    settings: ClassVar[Mapping[str, Any]] = {"limits": {"memoryMB": 100}}

    async def prepare(self) -> None:
        only_root()
        await super().prepare()

    async def test_out_of_memory(self) -> None:
        outcome = await self.run_task({"command": [["perl", "-e", "$x = q(x) x (400 << 20)"]], "maxRunTime": 60})
        self.assertJudged(outcome, Cause.OUT_OF_MEMORY, "the task ran out of memory")

    async def test_out_of_memory_by_files(self) -> None:
        outcome = await self.run_task(shell("head -c 400M /dev/zero > /dev/shm/fill-$TASK_ID"))
        self.assertJudged(outcome, Cause.OUT_OF_MEMORY, "memory")


class ByTheQueue(VerdictCase):
    """Which need not be told; the verdict is there all the same."""

    times = Times(claim=2, deadline_delay=0.1)

    async def test_canceled(self) -> None:
        task_id = await self.client.create(shell("touch begun; sleep 60"))
        await self.until_begun()
        await self.client.queue.cancel_task(task_id)
        self.assertJudged(await judged(self.client, task_id), Cause.CANCELED, "the task was canceled")

    async def test_deadline_exceeded(self) -> None:
        task_id = await self.client.create(shell("sleep 60"), deadline=date(seconds=1))
        self.assertJudged(await judged(self.client, task_id), Cause.DEADLINE_EXCEEDED, "deadline is over")

    async def test_claim_lost(self) -> None:
        self.refuse("POST", "/reclaim", 503)
        task_id = await self.client.create(shell("touch begun; sleep 60"))
        self.assertJudged(await judged(self.client, task_id), Cause.CLAIM_LOST, "the claim was lost")


class ByTheWorker(VerdictCase):
    """Its disk, storage and time."""

    times = Times(claim=2)

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.patch(services, "ATTEMPTS", 2)
        return super().setUp()

    async def test_no_disk(self) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(home, "make_folder", refuse)
        outcome = await self.run_task(shell("true"))
        tasks = self.site.tasks_dir
        self.assertJudged(outcome, Cause.NO_DISK, "no folder for the task can be made", path=tasks)

    async def test_a_broken_disk(self) -> None:
        tasks = os.path.join(self.site.folder, "tasks")
        os.rename(tasks, f"{tasks}-elsewhere")
        os.close(os.open(tasks, os.O_CREAT))
        outcome = await self.run_task(shell("true"))
        self.assertJudged(outcome, Cause.WORKER_FAULT, "no folder for the task can be made", path=tasks)

    async def test_upload_refused(self) -> None:
        self.refuse("PUT", "/storage/.*out.txt", 404, times=1)
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        self.assertJudged(outcome, Cause.UPLOAD_REFUSED, "public/out.txt?…: 404", error="404")

    async def test_upload_of_the_log_refused(self) -> None:
        # Nobody sees its last line, but there is the verdict.
        self.refuse("PUT", "/storage/.*backing", 404, times=1)
        task_id = await self.client.create(shell("echo hello"))
        await self.client.until_resolved(task_id)
        verdict = read_verdict(await self.client.content(task_id, 0, "public/logs/verdict.json"))
        self.assertEqual((verdict["cause"], verdict["evidence"]["error"]), (Cause.UPLOAD_REFUSED, "404"))

    async def test_a_storage_that_is_away_for_as_long_as_the_log_waits(self) -> None:
        self.patch(verdict_file, "MOST_SECONDS", 0.5)
        self.refuse("PUT", "/storage/.*(backing|verdict)", 503, times=4)
        self.assertJudged(await self.run_task(shell("exit 3")), Cause.EXIT_STATUS, "status 3")

    async def test_worker_shutdown(self) -> None:
        task_id = await self.client.create(shell("touch begun; sleep 60"))
        await self.until_begun()
        self.site.worker.stop_now(5, "the machine goes away")
        await self.site.until_stopped(self.site.worker)
        outcome = await judged(self.client, task_id)
        self.assertJudged(outcome, Cause.WORKER_SHUTDOWN, "the worker is shutting down")
        self.assertLessEqual(outcome.verdict["evidence"]["secondsLeft"], 5)

    async def test_out_of_time(self) -> None:
        self.never_answer("PUT", "/storage/.*out.txt")
        task_id = await self.client.create(shell("echo out > out.txt", artifacts=[FILE]))
        await self.until_uploading(task_id)
        self.site.worker.stop_now(4, "the machine goes away")
        await self.site.until_stopped(self.site.worker)
        self.assertJudged(await judged(self.client, task_id), Cause.OUT_OF_TIME, "the worker must go")

    async def until_uploading(self, task_id: str) -> None:
        """Wait until the artifact of a task is declared."""
        while not (await self.client.queue.list_artifacts(task_id, 0))["artifacts"]:
            await pause(reactor, 0.05)


@implementer(IFeature)
class Failing:
    """A feature that fails as a payload says."""

    name = "failing"
    schema: Mapping[str, Any] = {"properties": {"failing": {"type": "string"}}, "required": []}
    after = ()

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        return _FailingFeature(context.payload["failing"]) if "failing" in context.payload else None


class _FailingFeature(TaskFeature):
    def __init__(self, how: str) -> None:
        self._how = how

    def load(self, engine: IEngine) -> Deferred[None]:
        return fail(
            {
                "task": TaskFailed("it wants the impossible"),
                "cache": ResourceUnavailable("the cache is broken", cause=Cause.CACHE, evidence={"cache": "npm"}),
                "resource": ResourceUnavailable("no licence is free"),
                "worker": ZeroDivisionError("nobody foresaw that"),
            }[self._how]
        )


class ByAFeature(VerdictCase):
    """What features say, and what is made of what they do not."""

    features = (Failing(),)

    async def test_task_fault(self) -> None:
        self.assertJudged(await self.run_task(shell("true", failing="task")), Cause.TASK_FAULT, "the impossible")

    async def test_cache(self) -> None:
        outcome = await self.run_task(shell("true", failing="cache"))
        self.assertJudged(outcome, Cause.CACHE, "the cache is broken", cache="npm")

    async def test_resource_unavailable(self) -> None:
        outcome = await self.run_task(shell("true", failing="resource"))
        self.assertJudged(outcome, Cause.RESOURCE_UNAVAILABLE, "no licence is free")

    async def test_worker_fault(self) -> None:
        outcome = await self.run_task(shell("true", failing="worker"))
        self.assertJudged(outcome, Cause.WORKER_FAULT, "internal error of the worker, incident")
        self.assertIn(outcome.verdict["evidence"]["incident"], outcome.verdict["message"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class FoundAtARestart(WorkerCase):
    """A worker is killed, and the next one says so."""

    async def test_worker_died(self) -> None:
        first = self.worker()
        task_id = await self.running("echo printed; touch begun; sleep 60", retries=0)
        first.signal(signal.SIGKILL)
        await first.until_ended()
        self.worker()
        outcome = await judged(self.client, task_id)
        self.assertEqual((outcome.verdict["cause"], outcome.verdict["evidence"]), (Cause.WORKER_DIED, {"begun": True}))
        self.assertIn("printed", outcome.lines)
        self.assertIn(outcome.verdict["message"], outcome.log.splitlines()[-1])


class Each(SynchronousTestCase):
    def test_there_is_a_test_for_every_cause(self) -> None:
        text = Path(__file__).read_text()
        self.assertEqual([cause.name for cause in Cause if f"Cause.{cause.name}" not in text], [])
