"""The log of a task whose worker was killed: the next one with the same state directory publishes it."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor

from tcworker.errors import ProcessStatus
from tcworker.waiting import pause
from tests.integration.processes import ROOT, Command
from tests.integration.task_client import Outcome
from tests.integration.worker_case import WorkerCase
from tests.surroundings import until

SECRET = "correct horse battery"
SCRIPT = f"echo printed; echo a {SECRET} staple; touch begun; sleep 60"


class LeftLogCase(WorkerCase):
    """Workers that die."""

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


class Killed(LeftLogCase):
    """A worker that dies while its task runs."""

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

    async def test_its_beginning_and_its_end_if_it_is_too_long(self) -> None:
        worker = self.worker(logs={"maxMegabytes": 1})
        print_much = "head -c 3000000 /dev/zero | tr '\\000' x"
        task_id = await self.running(f"echo the beginning; {print_much}; echo; echo the end; touch begun; sleep 60")
        await self.kill(worker)
        self.worker(logs={"maxMegabytes": 50})
        outcome = await self.first_run(task_id)
        lines = outcome.log.splitlines()
        self.assertIn("the beginning", lines)
        self.assertEqual(lines[-2], "the end")
        self.assertEqual(outcome.log.count("bytes of the log are missing here"), 1)
        self.assertLess(len(outcome.log), 1_010_000)

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
        await second.until_printed("left by the worker before")
        await self.kill(second)
        third = self.worker()
        outcome = await self.first_run(task_id)
        self.assertEqual(outcome.log.count("printed\n"), 1, outcome.log)
        third.signal(signal.SIGTERM)
        self.assertEqual(await third.until_ended(), ProcessStatus.SHUTDOWN)


IMPATIENT = """
import sys
from tcworker import cli
from tcworker.task import checkpoints
checkpoints.FIRST = 0.3
sys.exit(cli.main())
"""


class KilledLater(LeftLogCase):
    """One that dies when it has already published what there was of the log, which takes it no minute here."""

    def command(self, *arguments: str) -> Command:
        python = os.path.basename(sys.executable)
        command = Command((python, "-c", IMPATIENT, *arguments), self.folder, environment={"PYTHONPATH": ROOT})
        self.addCleanup(command.kill)
        return command

    async def test_what_there_was_is_there_to_read_while_there_is_no_worker(self) -> None:
        worker = self.worker()
        task_id = await self.running(SCRIPT)
        while b"staple" not in await self.live(task_id):
            await pause(reactor, 0.05)
        await self.kill(worker)
        self.assertIn(b"a [masked] staple", await self.live(task_id))
        self.worker()
        outcome = await self.first_run(task_id)
        self.assertEqual(await self.live(task_id), outcome.log.encode())
        # Nobody knows what the dead worker was about to do about it.
        checkpoint = await self.client.content(task_id, 0, "public/logs/checkpoint.log")
        self.assertEqual(checkpoint, outcome.log.encode())

    async def live(self, task_id: str) -> bytes:
        """What its live log leads to; nothing if it leads nowhere yet."""
        pieces: list[bytes] = []
        answer = await self.client.download(task_id, 0, "public/logs/live.log", pieces.append)
        return b"".join(pieces) if answer.status == 200 else b""
