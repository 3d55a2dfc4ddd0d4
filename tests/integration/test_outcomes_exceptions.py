"""Runs that end with an exception that is not their author's doing (contracts of generic-worker, 5)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from tcworker.client import services
from tcworker.embedded.times import Times
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import IEngine, IFeature, ITaskContext, ITaskFeature
from tests.definitions import date, shell
from tests.integration.task_case import FILE, TaskCase
from tests.integration.test_verdicts import judged
from tests.surroundings import until


class Impatient(TaskCase):
    """A worker that makes a call but twice before it says that it fails."""

    times = Times(claim=2, deadline_delay=0.1)

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.patch(services, "ATTEMPTS", 2)
        return super().setUp()


class ResourceUnavailable(Impatient):
    async def test_the_storage_does_not_take_an_artifact(self) -> None:
        self.refuse("PUT", "/storage/", 404, times=1)
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        # What the address is signed with stands in its query, which nobody may see.
        self.assertResolved(outcome, "exception/resource-unavailable", "/public/out.txt?…: 404")


class ForAsLongAsItTakes(Impatient):
    """What does not take an artifact, and does not refuse it either, is waited for until the queue ends the run."""

    times = Times(claim=6, deadline_delay=0.1)
    settings: ClassVar[Mapping[str, Any]] = {"statusPollSecs": 1}

    async def assert_waited_for(self, method: str, path: str, error: str, requests: int) -> None:
        """Fail unless something that is always answered 503 is tried until the task is cancelled.

        @param requests: after how many the first try has failed.
        """
        refused = self.refuse(method, path, 503)
        task_id = await self.client.create(shell("echo hello; echo out > out.txt", artifacts=[FILE]))
        await until(lambda: len(refused) > requests, seconds=self.site.patience)
        await self.client.queue.cancel_task(task_id)
        outcome = await judged(self.client, task_id)
        self.assertResolved(outcome, "exception/canceled", "hello", error, "canceled")

    async def test_the_queue(self) -> None:
        await self.assert_waited_for("POST", "/artifacts/public/out.txt", "createArtifact: 503", 2)

    async def test_the_storage(self) -> None:
        await self.assert_waited_for("PUT", "/storage/.*out.txt", "PUT http", 1)


class ObjectsForAsLongAsItTakes(ForAsLongAsItTakes):
    settings: ClassVar = {**ForAsLongAsItTakes.settings, "createObjectArtifacts": True}

    async def test_the_object_service(self) -> None:
        await self.assert_waited_for("POST", "/object/v1/finish-upload/.*out.txt", "finishUpload: 503", 2)


@implementer(IFeature)
class Broken:
    """A feature with a fault, for tasks that want one."""

    name = "broken"
    schema: Mapping[str, Any] = {"properties": {"broken": {"type": "boolean"}}, "required": []}
    after = ()

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        return _BrokenFeature() if "broken" in context.payload else None


class _BrokenFeature(TaskFeature):
    def load(self, engine: IEngine) -> Deferred[None]:
        return fail(ZeroDivisionError("the password is hunter2"))


class InternalError(TaskCase):
    features = (Broken(),)

    async def test_what_nobody_foresaw(self) -> None:
        outcome = await self.run_task(shell("true", broken=True))
        self.assertResolved(outcome, "exception/internal-error", "internal error of the worker, incident ")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        # What it was is for the operator, who finds it by the incident.
        self.assertNotIn("hunter2", outcome.log)
        await self.assertWorks()

    async def test_no_folder_can_be_made_for_the_task(self) -> None:
        tasks = os.path.join(self.site.folder, "tasks")
        os.rename(tasks, f"{tasks}-elsewhere")
        open(tasks, "w").close()  # noqa: ASYNC230  # it is empty
        outcome = await self.run_task(shell("true"))
        self.assertResolved(outcome, "exception/internal-error", f"no folder for the task can be made in {tasks}")


class GivenToAnother(TaskCase):
    async def test_a_worker_that_must_go(self) -> None:
        script = "echo begun; echo out > out.txt; touch begun; sleep 60"
        task_id = await self.client.create(shell(script, artifacts=[FILE]), retries=1)
        await self.until_begun()
        self.site.worker.stop_now(5, "the machine goes away")
        await self.site.until_stopped(self.site.worker)
        runs = await self.client.until(task_id, "pending")
        first = await self.client.seen(task_id, runs, 0)
        self.assertEqual([run["state"] for run in runs], ["exception", "pending"])
        self.assertResolved(first, "exception/worker-shutdown", "begun", "ending the task: ")
        # Afterwards, for the log of a worker that goes comes first.
        self.assertEqual(first.artifacts["public/out.txt"]["storageType"], "s3")


class DecidedByTheQueue(TaskCase):
    times = Times(claim=2, deadline_delay=0.1)

    async def test_a_task_that_is_cancelled(self) -> None:
        task_id = await self.client.create(shell("touch begun; sleep 60"))
        await self.until_begun()
        await self.client.queue.cancel_task(task_id)
        await self.assertWorks()
        outcome = await judged(self.client, task_id)
        self.assertEqual(outcome.resolution, "exception/canceled")

    async def test_a_task_past_its_deadline(self) -> None:
        task_id = await self.client.create(shell("sleep 60"), deadline=date(seconds=1))
        # Over for the queue it is at once, and not yet for the worker.
        self.assertResolved(await judged(self.client, task_id), "exception/deadline-exceeded")
        await self.assertWorks()

    async def test_a_claim_that_is_lost_is_not_reported(self) -> None:
        self.refuse("POST", "/reclaim", 409)
        task_id = await self.client.create(shell("touch begun; sleep 60"), retries=1)
        await self.until_begun()
        self.refuse("POST", "/claim-work/", 503)
        runs = await self.client.until(task_id, "pending")
        self.assertEqual(runs[0]["reasonResolved"], "claim-expired")


class TaskclusterIsAway(TaskCase):
    times = Times(claim=2)

    async def test_for_a_moment_when_a_claim_is_renewed(self) -> None:
        # The reference gives up at the first failure, and calls a task failed that it killed itself.
        self.refuse("POST", "/reclaim", 503, times=2)
        self.assertResolved(await self.run_task(shell("sleep 3; echo done")), "completed", "done")

    async def test_for_a_moment_when_a_run_is_over(self) -> None:
        self.refuse("POST", "/completed", 503, times=1)
        self.assertResolved(await self.run_task(shell("echo done")), "completed", "done")


class TheStorageIsAway(TaskCase):
    async def test_for_a_moment_when_artifacts_are_published(self) -> None:
        self.refuse("PUT", "/storage/", 500, times=1)
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        self.assertResolved(outcome, "completed", "Uploading artifact public/out.txt")
        self.assertEqual(outcome.artifacts["public/out.txt"]["storageType"], "s3")


class RunAgain(TaskCase):
    async def test_a_status_for_which_the_task_asks_for_another_run(self) -> None:
        script = 'echo run $RUN_ID; [ "$RUN_ID" = 1 ] || exit 4'
        task_id = await self.client.create(shell(script, onExitStatus={"retry": [3, 4]}), retries=1)
        last = await self.client.outcome(task_id)
        first = await self.client.seen(task_id, last.runs, 0)
        self.assertResolved(first, "exception/intermittent-task", "run 0", "Exit Code: 4", "command 0 exited with")
        self.assertResolved(last, "completed", "run 1")

    async def test_when_no_retries_are_left(self) -> None:
        outcome = await self.run_task(shell("exit 4", onExitStatus={"retry": [4]}))
        self.assertResolved(outcome, "exception/intermittent-task", "payload.onExitStatus.retry asks for another run")
        self.assertEqual(len(outcome.runs), 1)


class AuthIsAway(Impatient):
    async def test_when_a_task_s_scopes_are_to_be_expanded(self) -> None:
        self.refuse("POST", "/auth/v1/scopes/expand", 503)
        self.refuse("GET", "/auth/v1/scopes/expand", 503)
        outcome = await self.run_task(shell("true", osGroups=["audio"]))
        line = "the task's scopes could not be expanded: expandScopes: 503"
        self.assertResolved(outcome, "exception/resource-unavailable", line)
        self.assertNotIn("Executing command", outcome.log)
