"""What answers is not Taskcluster, or not well: each call that a worker makes is made again, or its loss is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.claims import claimer
from tcworker.client import services
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON
from tcworker.retry import Backoff
from tcworker.task import object_upload
from tests.definitions import shell
from tests.integration.meddling import Render
from tests.integration.task_case import FILE, TaskCase
from tests.integration.task_client import Outcome

Odd = Callable[[Request], None]
"""Answers in an odd way."""


def _answer(content_type: str, body: bytes, request: Request) -> None:
    request.setResponseCode(200)
    request.responseHeaders.removeHeader("content-encoding")
    request.setHeader("content-type", content_type)
    request.setHeader("content-length", str(len(body)))
    request.write(body)
    request.finish()


def _hang(request: Request) -> None:
    """The headers, a part of the body, and then nothing any more."""
    request.setResponseCode(200)
    request.setHeader("content-type", "application/json")
    request.setHeader("content-length", "1000")
    request.write(b'{"status": ')


ODD: dict[str, Odd] = {
    "a page": partial(_answer, "text/html", b"<html>Please sign in</html>"),
    "nothing": partial(_answer, "application/json", b""),
    "an empty object": partial(_answer, "application/json", b"{}"),
    "a list": partial(_answer, "application/json", b"[null]"),
    "what never ends": _hang,
}


class OddCase(TaskCase):
    """A worker that waits for no answer for more than a second or two."""

    timeout = 60
    times: ClassVar[Times] = Times(claim=3, poll=0.5)
    settings: ClassVar = {"capacity": 5}

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.patch(services, "SECONDS", 1.0)
        self.patch(services, "CLAIM_SECONDS", 2.0)
        self.patch(claimer, "FAILURES", Backoff(0.1, 0.1))
        return super().setUp()

    def answer_oddly(self, method: str, path: str, *ways: str) -> list[str]:
        """Let the Taskcluster do what it is asked to, but answer in each of the odd ways, one after the other.

        @param ways: which; without one all of them.
        @return: the ways that are still to come.
        """
        left = list(ways or ODD)

        def answer(request: Any, render: Render) -> bytes | int:
            odd = ODD[left.pop(0)]
            write, finish = request.write, request.finish

            def end() -> None:
                request.write, request.finish = write, finish
                odd(request)

            request.write, request.finish = (lambda data: None), end
            if render(request) != NOT_DONE_YET:
                end()
            return NOT_DONE_YET

        self.meddle(method, path, answer, len(left))
        return left

    async def each(self, method: str, path: str, payload: JSON) -> list[Outcome]:
        """Run a task for each odd answer of a call."""
        left = self.answer_oddly(method, path)
        outcomes: list[Outcome] = await gatherResults([Deferred.fromCoroutine(self.run_task(payload)) for _ in ODD])
        self.assertEqual(left, [])
        return outcomes

    def assert_each(self, outcomes: list[Outcome], resolution: str) -> None:
        """Fail unless each task has ended so, at its first run."""
        for outcome in outcomes:
            self.assertEqual((outcome.resolution, len(outcome.runs)), (resolution, 1), outcome.log)


class EachCall(OddCase):
    """The call took effect, its answer is odd."""

    async def test_a_claim_whose_answer_is_lost_is_run_as_another_run(self) -> None:
        left = self.answer_oddly("POST", "/claim-work/")
        task_ids = [await self.client.create(shell("echo done"), retries=5) for _ in range(3)]
        for task_id in task_ids:
            outcome = await self.client.outcome(task_id)
            self.assertResolved(outcome, "completed", "done")
            self.assertLessEqual({run["reasonResolved"] for run in outcome.runs[:-1]}, {"claim-expired"})
        self.assertEqual(left, [])

    async def test_a_reclaim(self) -> None:
        self.assert_each(await self.each("POST", "/reclaim", shell("sleep 2.5")), "completed")

    async def test_a_report(self) -> None:
        self.assert_each(await self.each("POST", "/completed", shell("true")), "completed")
        self.assert_each(await self.each("POST", "/failed", shell("exit 1")), "failed")
        self.assert_each(await self.each("POST", "/exception", {"command": "x"}), "exception/malformed-payload")

    async def test_the_declaration_of_an_artifact(self) -> None:
        outcomes = await self.each("POST", "/artifacts/public/out.txt", shell("echo out > out.txt", artifacts=[FILE]))
        self.assert_each(outcomes, "completed")
        for outcome in outcomes:
            self.assertEqual(await self.client.content(outcome.task_id, 0, "public/out.txt"), b"out\n")

    async def test_the_link_to_a_log(self) -> None:
        self.assert_each(await self.each("POST", "/artifacts/public/logs/live.log", shell("true")), "completed")


class EachCallAboutObjects(OddCase):
    """The same where artifacts are objects; their declaration cannot be made again for ever."""

    settings: ClassVar = {**OddCase.settings, "createObjectArtifacts": True}

    async def test_its_steps(self) -> None:
        payload = shell("echo out > out.txt", artifacts=[FILE])
        for method, path in (
            ("PUT", "/object/v1/upload/.*out.txt"),
            ("POST", "/finish-upload/.*out.txt"),
            ("PUT", "/artifacts/public/out.txt"),
        ):
            self.assert_each(await self.each(method, path, payload), "completed")

    async def test_their_declaration(self) -> None:
        # It took effect, and so the queue fails at each further one.
        self.patch(object_upload, "LOCKED", replace(object_upload.LOCKED, most=2))
        self.patch(services, "ATTEMPTS", 2)
        self.answer_oddly("POST", "/artifacts/public/out.txt", "nothing")
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        line = "artifact public/out.txt: createArtifact: 500 InternalServerError"
        self.assertResolved(outcome, "exception/resource-unavailable", line)
