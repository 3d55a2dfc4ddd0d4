"""Cancellations that a whole worker without pulse learns of, from a queue that is not always helpful."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.web.server import Request

from tests.definitions import shell
from tests.integration.meddling import Render
from tests.integration.task_case import FILE, TaskCase
from tests.surroundings import until

WORK = "echo so far > out.txt; echo at work; touch begun; sleep 1000"
STATUSES = "/queue/v1/tasks/status"


class AskingCase(TaskCase):
    settings: ClassVar[Mapping[str, Any]] = {"statusPollSecs": 1}

    async def begin(self) -> str:
        task_id = await self.client.create(shell(WORK, artifacts=[FILE]))
        await self.until_begun()
        return task_id

    async def assertNoticed(self, task_id: str) -> None:
        """Fail unless a task that was cancelled ends, with all that it did so far."""
        await self.client.queue.cancel_task(task_id)
        runs = await self.client.until_resolved(task_id)
        # The next task begins when there is nothing left of this one.
        await self.assertWorks()
        outcome = await self.client.seen(task_id, runs)
        self.assertResolved(outcome, "exception/canceled", "at work", "the task was canceled")
        self.assertIn(FILE["name"], outcome.artifacts)


class Asking(AskingCase):
    async def test_it_notices_by_asking_for_statuses(self) -> None:
        await self.assertNoticed(await self.begin())

    async def test_it_goes_on_asking_when_the_queue_cannot_answer(self) -> None:
        task_id = await self.begin()
        self.refuse("POST", STATUSES, 500, times=8)
        await self.assertNoticed(task_id)

    async def test_it_goes_on_asking_when_the_answer_is_none(self) -> None:
        task_id = await self.begin()
        answers = [b"<html>Bad gateway", b"", b"[]", b'{"statuses": [{}]}', b'{"statuses": {"a": 1}}', b"[" * 9999]

        def answer(request: Request, render: Render) -> bytes | int:
            return answers.pop()

        self.meddle("POST", STATUSES, answer, len(answers))
        await self.assertNoticed(task_id)
        self.assertEqual(answers, [])


class Ending(AskingCase):
    settings: ClassVar[Mapping[str, Any]] = {"statusPollSecs": 1, "killGraceSecs": 0.5}

    async def test_a_task_that_does_not_listen_is_killed_and_nothing_is_reported(self) -> None:
        reports = self.watch("POST", "/runs/0/(completed|failed|exception)$")
        task_id = await self.client.create(shell("trap '' TERM", "trap '' TERM; echo at work; touch begun; sleep 1000"))
        await self.until_begun()
        await self.client.queue.cancel_task(task_id)
        runs = await self.client.until_resolved(task_id)
        await self.assertWorks()
        outcome = await self.client.seen(task_id, runs)
        self.assertResolved(
            outcome, "exception/canceled", "at work", "ending the task: the task was canceled", "the task was canceled"
        )
        self.assertFalse([path for path in reports if task_id in path])


class NotAllowedToAsk(AskingCase):
    async def test_each_run_is_asked_for_by_its_own_credentials_once(self) -> None:
        task_id = await self.begin()
        asked: list[bytes] = []

        def refuse(request: Request, render: Render) -> bytes | int:
            request.setResponseCode(403)
            return b'{"code": "InsufficientScopes", "message": "no"}'

        def listen(request: Request, render: Render) -> bytes | int:
            header = request.getHeader("authorization") or ""
            if "task-client/" in header:
                asked.append(request.path)
            return render(request)

        # It is cancelled before it is asked for at all.
        self.meddle("GET", f"{task_id}/status", listen)
        await self.client.queue.cancel_task(task_id)
        self.meddle("POST", STATUSES, refuse)
        await until(lambda: asked)
        await self.assertWorks()
        self.assertEqual(len(asked), 1)
        outcome = await self.client.outcome(task_id)
        self.assertResolved(outcome, "exception/canceled", "at work", "the task was canceled")
