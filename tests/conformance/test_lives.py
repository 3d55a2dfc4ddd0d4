"""A task's whole life by the C{taskcluster} package: its blocking clients, its asyncio ones, its helpers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import taskcluster
import taskcluster.aio
from taskcluster.download import downloadArtifactToBuf
from taskcluster.exceptions import TaskclusterArtifactError
from taskcluster.upload import uploadFromBuf

from tests.conformance.case import ConformanceTestCase, date, new_id

CONTENT = b"what the task made\n" * 3
LOG = {"storageType": "s3", "contentType": "text/plain"}


class BlockingLife(ConformanceTestCase):
    """As a script and a worker would do it, with the package's defaults for everything."""

    def client(self, credentials: Any = None, kind: Any = taskcluster.Queue) -> Any:
        given = credentials or self.deployment.root.to_json()
        return kind({"rootUrl": self.deployment.root_url, "credentials": dict(given)})

    def test_from_its_creation_to_its_artifacts(self) -> None:
        user, worker, task_id = self.client(), self.client(), taskcluster.slugId()
        definition = self.definition(created=taskcluster.fromNow("0 seconds"), deadline=taskcluster.fromNow("1 hour"))
        self.assertEqual(user.createTask(task_id, definition)["status"]["state"], "pending")
        asked = {"workerGroup": self.worker_group, "workerId": self.worker_id, "tasks": 1}
        [claim] = worker.claimWork(self.task_queue, asked)["tasks"]
        run = self.client(claim["credentials"])
        again = run.reclaimTask(task_id, claim["runId"])
        run = self.client(again["credentials"])
        made = run.createArtifact(task_id, claim["runId"], "public/log", {**LOG, "expires": date(hours=1)})
        requests.put(
            made["putUrl"], CONTENT, headers={"Content-Type": made["contentType"]}, timeout=60
        ).raise_for_status()
        self.assertEqual(run.reportCompleted(task_id, claim["runId"])["status"]["state"], "completed")
        self.assertEqual(user.status(task_id)["status"]["runs"][0]["reasonResolved"], "completed")
        [artifact] = user.listLatestArtifacts(task_id)["artifacts"]
        url = user.buildSignedUrl("getLatestArtifact", task_id, artifact["name"])
        self.assertEqual(requests.get(url, timeout=60).content, CONTENT)

    def test_its_helpers_for_artifacts(self) -> None:
        held = self.running()
        run = self.client(held.claim["credentials"])
        made = run.createArtifact(
            *held.run, "public/object", {"storageType": "object", "contentType": "text/plain", "expires": date(hours=1)}
        )
        objects = self.client(made["credentials"], taskcluster.Object)
        uploadFromBuf(
            data=CONTENT,
            projectId=made["projectId"],
            name=made["name"],
            contentType="text/plain",
            contentLength=len(CONTENT),
            expires=made["expires"],
            uploadId=made["uploadId"],
            objectService=objects,
        )
        run.finishArtifact(*held.run, "public/object", {"uploadId": made["uploadId"]})
        error = {"storageType": "error", "reason": "file-missing-on-worker", "message": "It was never made."}
        run.createArtifact(*held.run, "public/error", {**error, "expires": date(hours=1)})
        user = self.client()
        found, kind = downloadArtifactToBuf(taskId=held.task_id, runId=0, name="public/object", queueService=user)
        self.assertEqual((found, kind), (CONTENT, "text/plain"))
        with self.assertRaises(TaskclusterArtifactError) as caught:
            downloadArtifactToBuf(taskId=held.task_id, name="public/error", queueService=user)
        self.assertEqual(caught.exception.reason, "file-missing-on-worker")


class AsynchronousLife(ConformanceTestCase):
    def run_apart(self, life: Any) -> Any:
        """Run a coroutine in a thread of its own: where this test runs there may be a loop already."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, life).result()

    def test_from_its_creation_to_its_artifacts(self) -> None:
        self.assertEqual(self.run_apart(self.live()), ("completed", CONTENT))

    async def live(self) -> tuple[str, bytes]:
        async with taskcluster.aio.createSession() as session:

            def client(credentials: Any) -> Any:
                options = {"rootUrl": self.deployment.root_url, "credentials": dict(credentials)}
                return taskcluster.aio.Queue(options, session=session)

            user, task_id = client(self.deployment.root.to_json()), new_id()
            asked = {"workerGroup": self.worker_group, "workerId": self.worker_id, "tasks": 1}
            # The worker waits before there is anything.
            claiming = asyncio.ensure_future(user.claimWork(self.task_queue, asked))
            await user.ping()
            await user.createTask(task_id, self.definition())
            [claim] = (await claiming)["tasks"]
            run = client(claim["credentials"])
            run = client((await run.reclaimTask(task_id, 0))["credentials"])
            made = await run.createArtifact(task_id, 0, "public/log", {**LOG, "expires": date(hours=1)})
            headers = {"Content-Type": made["contentType"]}
            async with session.put(made["putUrl"], data=CONTENT, headers=headers) as answer:
                answer.raise_for_status()
            await run.reportCompleted(task_id, 0)
            state = (await user.status(task_id))["status"]["state"]
            found = await user.latestArtifact(task_id, "public/log")
            async with session.get(found["url"]) as answer:
                return state, await answer.read()
