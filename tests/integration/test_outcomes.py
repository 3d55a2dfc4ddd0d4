"""Which runs are completed and which failed, row by row (contracts of generic-worker, 5)."""

from __future__ import annotations

from tests.definitions import shell
from tests.integration.task_case import FILE, TaskCase


class Completed(TaskCase):
    async def test_every_command_exited_with_0(self) -> None:
        outcome = await self.run_task(shell("echo one", "echo two"))
        self.assertResolved(outcome, "completed", "one", "two", "=== Task Finished ===")
        self.assertEqual(outcome.errors, [])

    async def test_all_artifacts_that_must_be_are_published(self) -> None:
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[FILE]))
        self.assertResolved(outcome, "completed", "Uploading artifact public/out.txt from file out.txt")
        self.assertEqual(outcome.artifacts["public/out.txt"]["storageType"], "s3")

    async def test_an_optional_artifact_that_is_missing(self) -> None:
        # Though the queue gets an error artifact; Treeherder reads lines of errors as failures.
        outcome = await self.run_task(shell("true", artifacts=[{**FILE, "optional": True}]))
        self.assertResolved(outcome, "completed", "file-missing-on-worker: there is no out.txt")
        self.assertEqual(outcome.artifacts["public/out.txt"]["storageType"], "error")
        self.assertEqual(outcome.errors, [])

    async def test_an_optional_artifact_that_cannot_be_stored(self) -> None:
        self.refuse("PUT", "/storage/", 404, times=1)
        outcome = await self.run_task(shell("echo out > out.txt", artifacts=[{**FILE, "optional": True}]))
        self.assertResolved(outcome, "completed", "Optional artifact public/out.txt was not published")
        self.assertEqual(outcome.errors, [])

    async def test_a_superseder_is_accepted_and_ignored(self) -> None:
        outcome = await self.run_task(shell("true", supersederUrl="https://example.com/"))
        self.assertResolved(outcome, "completed", "=== Task Finished ===")


class Failed(TaskCase):
    async def test_a_command_that_exits_with_another_status(self) -> None:
        outcome = await self.run_task(shell("exit 3", "echo never"))
        self.assertResolved(outcome, "failed", "Exit Code: 3", "Result: FAILED", "=== Task Finished ===")
        self.assertEqual(outcome.errors, ["command 0 exited with status 3"])
        self.assertNotIn("never", outcome.lines)

    async def test_a_command_that_dies_by_a_signal(self) -> None:
        outcome = await self.run_task(shell("kill -SEGV $$"))
        self.assertResolved(outcome, "failed", "Exit Code: none, killed by SIGSEGV")
        self.assertEqual(outcome.errors, ["command 0 was killed by SIGSEGV"])

    async def test_a_command_that_is_not_there(self) -> None:
        outcome = await self.run_task({"command": [["no-such-command", "x"]], "maxRunTime": 60})
        self.assertResolved(
            outcome, "failed", "Executing command 0: no-such-command x", "no-such-command was not found"
        )
        self.assertIn("command 0 could not be started", outcome.errors[-1])

    async def test_a_command_that_is_not_executable(self) -> None:
        payload = {"command": [["touch", "script"], ["./script"]], "maxRunTime": 60}
        outcome = await self.run_task(payload)
        self.assertResolved(outcome, "failed", "Executing command 1: ./script", "./script is not executable")

    async def test_the_maximal_run_time(self) -> None:
        outcome = await self.run_task(shell("echo begun; sleep 60", maxRunTime=1))
        self.assertResolved(outcome, "failed", "begun", "Exit Code: none, killed by SIGTERM")
        self.assertEqual(outcome.errors, ["task aborted - max run time exceeded (1 seconds)"])

    async def test_an_artifact_that_is_missing(self) -> None:
        outcome = await self.run_task(shell("true", artifacts=[FILE]))
        line = "TASK FAILURE during artifact upload: public/out.txt: file-missing-on-worker"
        self.assertResolved(outcome, "failed", "Result: SUCCEEDED", line)
        self.assertEqual(len(outcome.errors), 1)
        self.assertEqual(outcome.artifacts["public/out.txt"]["storageType"], "error")

    async def test_several_that_are_missing_are_told_once_each_and_the_first_again_at_the_end(self) -> None:
        more = {"type": "file", "path": "b", "name": "public/z"}
        outcome = await self.run_task(shell("true", artifacts=[FILE, more]))
        names = [line.split(": ")[1] for line in outcome.errors]
        self.assertEqual((len(names), set(names)), (3, {"public/out.txt", "public/z"}))
        self.assertEqual(outcome.errors[0], outcome.errors[-1])

    async def test_an_artifact_that_is_a_folder(self) -> None:
        outcome = await self.run_task(shell("mkdir out.txt", artifacts=[FILE]))
        line = "TASK FAILURE during artifact upload: public/out.txt: invalid-resource-on-worker"
        self.assertResolved(outcome, "failed", line)

    async def test_artifacts_of_a_task_that_failed_are_published(self) -> None:
        outcome = await self.run_task(shell("echo out > out.txt; exit 1", artifacts=[FILE]))
        self.assertResolved(outcome, "failed", "Uploading artifact public/out.txt")
        self.assertEqual(outcome.artifacts["public/out.txt"]["storageType"], "s3")

    async def test_the_first_error_decides(self) -> None:
        outcome = await self.run_task(shell("sleep 60", maxRunTime=1, artifacts=[FILE]))
        self.assertResolved(outcome, "failed", "TASK FAILURE during artifact upload")
        self.assertEqual(outcome.errors[-1], "task aborted - max run time exceeded (1 seconds)")
