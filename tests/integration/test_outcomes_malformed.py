"""Payloads that are refused, each before anything runs and in words for its author (contracts of generic-worker, 5)."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.integration.task_case import FILE, Outcome, TaskCase, date, shell


class Malformed(TaskCase):
    settings: ClassVar = {"maxTaskRunTime": 100}

    async def refused(self, payload: Any, *lines: str, **definition: Any) -> Outcome:
        outcome = await self.run_task(payload, **definition)
        self.assertMalformed(outcome, *lines)
        # All that is published is the log, under the names that it would have.
        self.assertEqual(set(outcome.artifacts), {"public/logs/live.log", "public/logs/live_backing.log"})
        return outcome

    async def test_each_violation_of_the_schema_has_its_line(self) -> None:
        payload = {"command": [["true", 1]], "env": {"A": 1}, "maxruntime": 5}
        outcome = await self.refused(
            payload,
            "payload.command[0][1]: found 1 (a number), expected a string",
            "payload.env.A: found 1 (a number), expected a string",
            'payload.maxruntime: found an unknown key, expected perhaps "maxRunTime"',
            "payload.maxRunTime: found nothing, expected an integer",
        )
        self.assertEqual(len(outcome.errors), 4)

    async def test_no_payload_at_all(self) -> None:
        await self.refused({}, "payload.command: found nothing", "payload.maxRunTime: found nothing")

    async def test_a_command_without_arguments(self) -> None:
        await self.refused(shell("true") | {"command": [[]]}, "payload.command[0]: found 0 items, expected 1 or more")

    async def test_a_variable_that_cannot_be(self) -> None:
        await self.refused(shell("true", env={"A=B": "x"}), "'A=B' cannot be the name of a variable")

    async def test_a_longer_run_time_than_the_worker_allows(self) -> None:
        await self.refused(shell("true", maxRunTime=101), "task's maxRunTime of 101 exceeded allowed maximum of 100")

    async def test_an_artifact_that_expires_before_the_deadline(self) -> None:
        payload = shell("true", artifacts=[{**FILE, "expires": date(minutes=1)}])
        await self.refused(payload, "artifact 'public/out.txt' expires before task deadline")

    async def test_an_artifact_that_expires_after_the_task(self) -> None:
        payload = shell("true", artifacts=[{**FILE, "expires": date(days=1)}])
        await self.refused(payload, "artifact 'public/out.txt' expires after task expiry")

    async def test_two_artifacts_of_one_name(self) -> None:
        payload = shell("true", artifacts=[FILE, {**FILE, "path": "other.txt"}])
        await self.refused(payload, "payload.artifacts[1]: has the name 'public/out.txt' of payload.artifacts[0]")

    async def test_one_name_for_both_logs(self) -> None:
        payload = shell("true", logs={"live": "public/log", "backing": "public/log"})
        await self.refused(payload, "the live log and the backing log have the same name")


class NamesAreTaken(TaskCase):
    async def test_by_the_queue_s_word(self) -> None:
        self.refuse("POST", "/artifacts/public/out.txt", 409)
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        line = "the queue does not take artifact public/out.txt"
        self.assertResolved(outcome, "exception/malformed-payload", "Result: SUCCEEDED", line)

    async def test_an_artifact_with_a_log_s_name_is_left_out(self) -> None:
        # Not an error: people publish the whole of "public".
        script = "mkdir -p public/logs; echo mine | tee public/logs/live.log public/a"
        outcome = await self.run_task(shell(script, artifacts=[{"type": "directory", "path": "public"}]))
        self.assertResolved(outcome, "completed", "artifact public/logs/live.log is left out")
        self.assertEqual(outcome.artifacts["public/logs/live.log"]["storageType"], "link")
        self.assertIn("public/a", outcome.artifacts)
