"""Traps of generic-worker's contract that no other test is about; docs/traps.md has all of them."""

from __future__ import annotations

import os
from typing import ClassVar

from tcworker.embedded.times import Times
from tests.definitions import shell
from tests.integration.task_case import FILE, TaskCase


class Surroundings(TaskCase):
    def setUp(self):
        self.addCleanup(os.umask, os.umask(0o077))
        return super().setUp()

    async def test_the_umask_is_not_the_worker_s(self) -> None:
        self.assertResolved(await self.run_task(shell("umask")), "completed", "0022")

    async def test_a_variable_of_several_lines_and_many_bytes(self) -> None:
        script = 'printf %s "$LONG" | wc -c; printf "%s\\n" "$LINES_"'
        env = {"LONG": "x" * 100_000, "LINES_": "one\ntwo"}
        self.assertResolved(await self.run_task(shell(script, env=env)), "completed", "100000", "one", "two")

    async def test_the_folder_s_name_keeps_the_run_whatever_is_cut(self) -> None:
        script = 'basename "$TASK_WORKDIR"; [ "$RUN_ID" = 1 ] || exit 4'
        last = await self.run_task(shell(script, onExitStatus={"retry": [4]}), retries=1)
        first, start = await self.client.seen(last.task_id, last.runs, 0), f"task_{last.task_id}"[:18]
        self.assertResolved(first, "exception/intermittent-task", f"{start}_0")
        self.assertResolved(last, "completed", f"{start}_1")


class LongUploads(TaskCase):
    times: ClassVar = Times(claim=2)

    async def test_a_claim_is_renewed_while_they_last(self) -> None:
        self.hold_up("PUT", "/storage/.*out.txt", 3)
        task_id = await self.client.create(shell("echo out > out.txt", artifacts=[FILE]), retries=1)
        outcome = await self.client.outcome(task_id)
        self.assertResolved(outcome, "completed", "Uploading artifact public/out.txt")
        self.assertEqual(len(outcome.runs), 1)
        self.assertEqual(outcome.artifacts["public/out.txt"]["storageType"], "s3")


class SeveralTasks(TaskCase):
    settings: ClassVar = {"capacity": 2}

    async def test_each_has_its_own_folder_and_kills_its_own_processes(self) -> None:
        wait = "while [ ! -e go ]; do sleep 0.02; done; echo done"
        first = await self.client.create(shell(f"touch begun; {wait}"))
        await self.until_begun()
        second = await self.run_task(shell("sleep 600 & ls; kill -9 $$"))
        self.assertResolved(second, "failed", "command 0 was killed by SIGKILL")
        self.assertNotIn("begun", second.lines)
        with open(os.path.join(self.folder_of(first), "go"), "w"):  # noqa: ASYNC230  # it is empty
            pass
        self.assertResolved(await self.client.outcome(first), "completed", "done")

    def folder_of(self, task_id: str) -> str:
        """The folder of a task."""
        return os.path.join(self.site.tasks_dir, f"task_{task_id}"[:18] + "_0")
