"""C{tcworker control}, with a worker in another process."""

from __future__ import annotations

import os
import signal
import stat

from tcworker.interfaces import ProcessStatus
from tests.definitions import shell
from tests.integration.worker_case import WorkerCase


class Control(WorkerCase):
    async def test_status_says_what_it_does(self) -> None:
        worker = self.worker()
        task_id = await self.running()
        said = await self.control("status")
        self.assertEqual((said["state"], said["why"], said["secondsLeft"]), ("running", None, None))
        self.assertEqual([(run["taskId"], run["runId"]) for run in said["runs"]], [(task_id, 0)])
        self.assertEqual((said["pid"], said["workerId"], said["well"]), (worker.pid, "w1", True))
        self.assertNotIn(self.root["accessToken"], str(said))

    async def test_stop_gives_the_tasks_to_others(self) -> None:
        worker = self.worker(killGraceSecs=0.5)
        task_id = await self.running()
        said = await self.control("stop", "--seconds", "10")
        self.assertEqual((said["state"], said["why"]), ("stopping", "tcworker control stop"))
        self.assertLessEqual(said["secondsLeft"], 10)
        self.assertEqual(await worker.until_ended(), ProcessStatus.SHUTDOWN)
        (run,) = await self.client.until_resolved(task_id)
        self.assertEqual(run["reasonResolved"], "worker-shutdown")

    async def test_drain_lets_them_end_and_a_second_order_shortens(self) -> None:
        worker = self.worker(killGraceSecs=0.5)
        task_id = await self.running()
        self.assertEqual((await self.control("drain"))["state"], "draining")
        self.assertEqual(await self.client.state(task_id), "running")
        said = await self.control("drain", "--seconds", "3")
        self.assertLessEqual(said["secondsLeft"], 3)
        self.assertEqual(await worker.until_ended(), ProcessStatus.INTERRUPTED)
        self.assertEqual((await self.client.until_resolved(task_id))[-1]["reasonResolved"], "worker-shutdown")

    async def test_a_signal_after_it_shortens_too(self) -> None:
        worker = self.worker(killGraceSecs=0.5)
        await self.running()
        await self.control("drain")
        worker.signal(signal.SIGTERM)
        self.assertEqual(await worker.until_ended(), ProcessStatus.INTERRUPTED)

    async def test_nobody_else_can_reach_it(self) -> None:
        self.worker()
        await self.running()
        self.assertEqual(stat.S_IMODE(os.stat(self.path("state")).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("state/control")).st_mode), 0o600)

    async def test_of_a_worker_that_died_nobody_answers(self) -> None:
        worker = self.worker()
        await self.running()
        await worker.kill()
        call = self.command("control", "status", "--state-dir", self.path("state"))
        self.assertEqual(await call.until_ended(), ProcessStatus.INTERNAL_ERROR)
        self.assertIn(f"no worker runs with the state directory {self.path('state')}", call.output)
        self.worker()
        await self.client.until(await self.client.create(shell("sleep 60")), "running")
        self.assertEqual((await self.control("status"))["state"], "running")
