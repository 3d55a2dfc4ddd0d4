"""Payloads that are refused, each before anything runs and in words for its author (contracts of generic-worker, 5)."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.definitions import date, shell
from tests.integration.task_case import FILE, POOL, TaskCase
from tests.integration.task_client import Outcome


class RefusedCase(TaskCase):
    """Tests of payloads that are refused."""

    async def refused(self, payload: Any, *lines: str, **definition: Any) -> Outcome:
        outcome = await self.run_task(payload, **definition)
        self.assertMalformed(outcome, *lines)
        # All that is published is the log, under the names that it would have.
        names = {f"public/logs/{name}" for name in ("live.log", "live_backing.log", "verdict.json")}
        self.assertEqual(set(outcome.artifacts), names)
        return outcome


class Malformed(RefusedCase):
    settings: ClassVar = {"maxTaskRunTime": 100}

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


class NotOnThisPool(RefusedCase):
    """What a task asks for that its pool, or this worker, does not have."""

    settings: ClassVar = {"enableOSGroups": False, "enableRunTaskAsCurrentUser": False, "enableResourceMonitor": False}

    async def test_a_feature_that_is_off(self) -> None:
        payload = shell("true", features={"runTaskAsCurrentUser": True}, osGroups=["audio"])
        await self.refused(payload, "enableRunTaskAsCurrentUser", "payload.osGroups", POOL)

    async def test_a_feature_of_every_task_that_is_off_is_simply_not_there(self) -> None:
        # The reference refuses every task then.
        self.assertResolved(await self.run_task(shell("echo done", osGroups=[])), "completed", "done")

    async def test_what_comes_later(self) -> None:
        features = {"taskclusterProxy": True, "interactive": True, "chainOfTrust": True}
        payload = shell("true", features=features)
        places = ("payload.features.taskclusterProxy", "payload.features.interactive", "payload.features.chainOfTrust")
        await self.refused(payload, *(f"{place}: this worker has no " for place in places))

    async def test_loopback_devices(self) -> None:
        payload = shell("true", features={"loopbackAudio": True, "loopbackVideo": True})
        await self.refused(payload, "payload.features.loopbackAudio: this worker has no ", "payload.features.loopbackV")

    async def test_a_payload_for_docker(self) -> None:
        payload = {"image": "debian", "command": ["true"], "maxRunTime": 60}
        await self.refused(payload, "docker")


class WithoutScopes(RefusedCase):
    settings: ClassVar = {"capacity": 1}

    async def test_for_groups(self) -> None:
        scopes = [f"generic-worker:os-group:{POOL}/{group}" for group in ("audio", "video")]
        payload = shell("true", osGroups=["audio", "video"])
        outcome = await self.refused(payload, f"payload.osGroups: the task lacks scopes: {scopes[0]}")
        # All that lack, and what the task has.
        self.assertIn(scopes[1], "".join(outcome.errors))
        self.assertIn("it has: none", outcome.errors)

    async def test_for_the_worker_s_rights(self) -> None:
        payload = shell("true", features={"runTaskAsCurrentUser": True})
        lacks = f"the task lacks scopes: generic-worker:run-task-as-current-user:{POOL}"
        await self.refused(payload, f"payload.features.runTaskAsCurrentUser: {lacks}")

    async def test_a_group_that_is_not_there(self) -> None:
        scopes = [f"generic-worker:os-group:{POOL}/*"]
        await self.refused(shell("true", osGroups=["no-such-group"]), "payload.osGroups[0]: ", scopes=scopes)


class SideBySide(RefusedCase):
    settings: ClassVar = {"capacity": 2}

    async def test_nobody_has_the_worker_s_rights(self) -> None:
        payload = shell("true", features={"runTaskAsCurrentUser": True})
        scopes = [f"generic-worker:run-task-as-current-user:{POOL}"]
        await self.refused(payload, "use a worker pool with capacity 1", scopes=scopes)


class NativePayloads(RefusedCase):
    settings: ClassVar = {"disableNativePayloads": True}

    async def test_are_not_wanted(self) -> None:
        await self.refused(shell("true"), "payload")
