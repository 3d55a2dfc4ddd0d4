"""Workers that must go while much is still to be published: what is most wanted comes first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet import reactor as module
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.interfaces import JSON, ProcessStatus
from tests.definitions import shell
from tests.integration.meddling import Render, finish
from tests.integration.processes import Command
from tests.integration.task_client import Outcome
from tests.integration.test_deadlines import SLACK, DeadlineCase
from tests.surroundings import until

reactor: Any = module

MB = 1_000_000


def file(name: str) -> Mapping[str, str]:
    """An artifact that is stored as it is, whose bytes are all sent."""
    return {"type": "file", "path": name, "name": f"public/{name}", "contentEncoding": "identity"}


class SlowCase(DeadlineCase):
    """A storage that takes its time."""

    async def prepare(self) -> None:
        self.slow: dict[str, float] = {}
        await super().prepare()

    def answer(self, request: Request, render: Render) -> bytes | int:
        """Answer any request, after a while if it is a slow one."""
        for pattern, seconds in self.slow.items():
            if re.search(pattern, f"{request.method.decode()} {request.path.decode()}"):
                reactor.callLater(seconds, finish, request, lambda request: DeadlineCase.answer(self, request, render))
                return NOT_DONE_YET
        return super().answer(request, render)

    async def measure(self, megabytes: int, seconds: float) -> None:
        """Let the worker find that its uploads are so slow."""
        self.slow = {"PUT .*measured": seconds}
        script = f"head -c {megabytes * MB} /dev/zero > measured"
        task_id = await self.client.create(shell(script, artifacts=[file("measured")]))
        await self.client.until_resolved(task_id)
        self.slow = {}

    async def until_made(self, pattern: str) -> None:
        """Wait for a request."""
        await until(lambda: any(re.search(pattern, call) for call in self.made))

    def order_of(self, *patterns: str) -> Sequence[int]:
        """When the first requests of these kinds were made."""
        return [next(at for at, call in enumerate(self.made) if re.search(each, call)) for each in patterns]

    async def error(self, outcome: Outcome, name: str) -> JSON:
        return await self.client.queue.artifact(outcome.task_id, 0, name)


class Running(SlowCase):
    """A task that is cut off."""

    async def test_report_log_and_small_artifacts_come_first_and_an_error_says_what_came_too_late(self) -> None:
        # With so many slots two artifacts of a run are on their way at a time: the third one is after one of them.
        worker = self.worker(capacity=40)
        await self.measure(2, 2.0)
        self.made.clear()
        files = [file(name) for name in ("large", "middle", "small-1", "small-2")]
        script = "head -c 60000000 /dev/zero > large; head -c 300000 /dev/zero > middle; echo 1 | tee small-1 > small-2"
        task_id = await self.client.create(shell(f"{script}; touch begun; sleep 60", artifacts=files))
        await until(self.begun)
        self.notice(False, 12)
        await self.gone(worker, 12)
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "exception/worker-shutdown")
        kinds = {name: outcome.artifacts[name]["storageType"] for name in outcome.artifacts if "log" not in name}
        stored = dict.fromkeys(("public/small-1", "public/small-2", "public/middle"), "s3")
        self.assertEqual(kinds, {**stored, "public/large": "error"})
        self.assertEqual(len(await self.client.content(task_id, 0, "public/middle")), 300_000)
        self.assertIn("the worker must go", (await self.error(outcome, "public/large"))["message"])
        order = self.order_of("POST .*/exception", "PUT .*backing", "PUT .*small", "POST .*public/middle")
        self.assertEqual(sorted(order), list(order), self.made)


class Uploading(SlowCase):
    """A task that has done what it should."""

    async def test_a_large_artifact_that_never_ends_makes_it_another_worker_s(self) -> None:
        worker = self.worker()
        files = [file("large"), file("small")]
        script = "head -c 3000000 /dev/zero > large; echo 1 > small; echo begun to work"
        self.hang("PUT .*large")
        task_id = await self.client.create(shell(script, artifacts=files))
        await self.until_made("PUT .*small")
        self.notice(False, 6)
        await self.gone(worker, 6)
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "exception/worker-shutdown")
        self.assertIn("begun to work", outcome.log)
        self.assertIn("artifact public/large was in the middle of its upload", outcome.log)
        self.assertEqual(await self.client.content(task_id, 0, "public/small"), b"1\n")

    async def test_what_fits_into_the_time_is_completed(self) -> None:
        worker = self.worker()
        self.slow = {"PUT .*large": 1.0}
        script = "head -c 3000000 /dev/zero > large"
        task_id = await self.client.create(shell(script, artifacts=[file("large")]))
        await self.until_made("POST .*artifacts/public/large")
        self.notice(False, 10)
        await self.gone(worker, 10)
        outcome = await self.outcome(task_id)
        self.assertEqual(outcome.resolution, "completed")
        self.assertEqual(len(await self.client.content(task_id, 0, "public/large")), 3_000_000)


class Owed(SlowCase):
    """What the queue could not be told."""

    async def stop(self, worker: Command, seconds: float) -> None:
        self.notice(False, seconds)
        self.assertEqual(await worker.until_ended().addTimeout(seconds + SLACK, reactor), ProcessStatus.SHUTDOWN)

    async def test_a_report_is_made_good_at_the_next_start(self) -> None:
        worker = self.worker()
        self.hang("POST .*/completed")
        task_id = await self.client.create(shell("echo done"))
        await self.until_made("POST .*/completed")
        await self.stop(worker, 4)
        self.assertEqual(await self.client.state(task_id), "running")
        self.hanging.clear()
        self.worker()
        (run,) = await self.client.until_resolved(task_id)
        self.assertEqual(run["state"], "completed")
