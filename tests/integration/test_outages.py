"""A Taskcluster that is away for a while when a task has ended: the task waits, and is as it would have been."""

from __future__ import annotations

import os
from typing import ClassVar

from twisted.web.server import Request

from tcworker.embedded.times import Times
from tests.definitions import shell
from tests.integration.meddling import Render
from tests.integration.task_case import FILE, TaskCase
from tests.integration.test_verdicts import judged
from tests.surroundings import until

CLAIM = 2.0
"""Seconds that a claim lasts here, which are less than the outages."""

PAYLOAD = shell("echo hello > out.txt", artifacts=[FILE])


class Away(TaskCase):
    """One call does not work until the claim was renewed twice, and so would be over, while others do."""

    times: ClassVar = Times(dependencies=0.02, deadline_delay=0.1, claim=CLAIM)

    async def assert_completed(self) -> None:
        """Fail unless a task ends completed and whole."""
        outcome = await self.run_task(PAYLOAD)
        self.assertResolved(outcome, "completed", "Executing command")
        self.assertEqual(len(outcome.runs), 1)
        self.assertEqual(await self.client.content(outcome.task_id, 0, "public/out.txt"), b"hello\n")

    async def assert_outlasted(self, method: str, path: str, status: int) -> None:
        """Fail unless such a task waits for the end of an outage."""
        reclaims = self.watch("POST", "/reclaim$")

        def answer(request: Request, render: Render) -> bytes | int:
            if len(reclaims) > 1:
                return render(request)
            request.setResponseCode(status)
            return b"{}"

        met = self.meddle(method, path, answer)
        await self.assert_completed()
        self.assertGreater(len(met), 1)

    async def test_the_report(self) -> None:
        await self.assert_outlasted("POST", "/completed$", 503)

    async def test_the_declaration_of_an_artifact(self) -> None:
        await self.assert_outlasted("POST", "/artifacts/public/out.txt$", 502)

    async def test_a_queue_that_has_no_time_for_it(self) -> None:
        self.refuse("POST", "/artifacts/public/out.txt$", 429, times=2)
        await self.assert_completed()

    async def test_the_storage(self) -> None:
        await self.assert_outlasted("PUT", "/storage/.*out.txt$", 503)

    async def test_the_log(self) -> None:
        await self.assert_outlasted("PUT", "/storage/.*backing.log$", 503)


class AwayForLonger(TaskCase):
    """The storage takes neither log nor verdict of a run that was cancelled, for as long as its claim lasts."""

    times: ClassVar = Times(dependencies=0.02, deadline_delay=0.1, claim=CLAIM)
    settings: ClassVar = {"statusPollSecs": 1}

    async def test_they_are_published_later_and_keep_no_slot(self) -> None:
        away = [True]

        def answer(request: Request, render: Render) -> bytes | int:
            if not away:
                return render(request)
            request.setResponseCode(503)
            return b"{}"

        task_id = await self.client.create(shell("echo hello; touch begun; sleep 60"))
        await self.until_begun()
        self.meddle("PUT", f"/storage/.*{task_id}", answer)
        await self.client.queue.cancel_task(task_id)
        await until(lambda: self.site.worker.status()["runs"] == [], seconds=self.site.patience)
        await self.assertWorks()
        away.clear()
        outcome = await judged(self.client, task_id)
        self.assertResolved(outcome, "exception/canceled", "hello", "the task was canceled")
        self.assertEqual(outcome.errors, ["the task was canceled"])
        self.assertEqual(outcome.verdict["cause"], "canceled")
        await until(lambda: not os.listdir(os.path.join(self.site.state_dir, "runs")))


class Refusing(TaskCase):
    """What does not pass is never taken for success."""

    async def test_an_artifact_that_the_queue_refuses(self) -> None:
        for status in (400, 401, 403, 404):
            self.refuse("POST", "/artifacts/public/out.txt$", status)
            outcome = await self.run_task(PAYLOAD)
            self.assertResolved(outcome, "exception/resource-unavailable", f"{status}")
