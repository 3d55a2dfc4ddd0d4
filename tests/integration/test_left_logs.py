"""The log of a task whose worker was killed: the next one with the same state directory publishes it."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Mapping
from typing import Any

from tcworker.errors import ProcessStatus
from tests.integration.processes import Command
from tests.integration.task_client import Outcome
from tests.integration.worker_case import WorkerCase
from tests.surroundings import until

SECRET = "correct horse battery"
SCRIPT = f"echo printed; echo a {SECRET} staple; touch begun; sleep 60"


class Killed(WorkerCase):
    """A worker that dies while its task runs."""

    def settings(self) -> Mapping[str, Any]:
        return {"logs": {"mask": [SECRET]}}

    async def kill(self, worker: Command) -> None:
        worker.signal(signal.SIGKILL)
        await worker.until_ended()

    def run_folders(self) -> list[str]:
        runs = self.path("state/runs")
        return os.listdir(runs) if os.path.exists(runs) else []

    async def first_run(self, task_id: str) -> Outcome:
        """Wait until nothing of its first run is left here, and give what is to be seen of that."""
        await until(lambda: self.run_folders() == [])
        return await self.client.seen(task_id, (await self.client.queue.status(task_id))["status"]["runs"], 0)

    async def test_its_log_is_there_to_read(self) -> None:
        worker = self.worker()
        task_id = await self.running(SCRIPT)
        await self.kill(worker)
        self.worker()
        outcome = await self.first_run(task_id)
        self.assertEqual(outcome.resolution, "exception/worker-shutdown")
        for line in ("printed", "a [masked] staple", "Executing command 0"):
            self.assertIn(line, outcome.log)
        self.assertTrue(outcome.log.splitlines()[-1].startswith("[taskcluster:error] the worker "), outcome.log)
        self.assertEqual(await self.client.content(task_id, 0, "public/logs/live.log"), outcome.log.encode())

    async def test_what_is_masked_no_longer_is_masked_in_it_all_the_same(self) -> None:
        worker = self.worker()
        task_id = await self.running(SCRIPT)
        await self.kill(worker)
        self.worker(logs={})
        outcome = await self.first_run(task_id)
        self.assertIn("a [masked] staple", outcome.log)

    async def test_nobody_else_can_read_what_is_left_of_it(self) -> None:
        worker = self.worker()
        await self.running(SCRIPT)
        await self.kill(worker)
        (run,) = self.run_folders()
        folder = self.path(f"state/runs/{run}")
        modes = {name: stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in os.listdir(folder)}
        self.assertEqual(set(modes.values()), {0o600}, modes)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("state")).st_mode), 0o700)

    async def test_the_worker_that_publishes_it_can_be_killed_too(self) -> None:
        worker = self.worker()
        task_id = await self.running(SCRIPT)
        await self.kill(worker)
        second = self.worker()
        await second.until_printed("left by a worker that died")
        await self.kill(second)
        third = self.worker()
        outcome = await self.first_run(task_id)
        self.assertEqual(outcome.log.count("printed\n"), 1, outcome.log)
        third.signal(signal.SIGTERM)
        self.assertEqual(await third.until_ended(), ProcessStatus.SHUTDOWN)
