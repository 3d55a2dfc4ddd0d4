"""A worker's process that stood still, as on a machine that slept."""

from __future__ import annotations

import signal
from typing import ClassVar

from tests.integration.worker_case import WorkerCase
from tests.surroundings import until

SCRIPT = "echo begun; touch begun; [ $RUN_ID = 1 ] || sleep 60"


class StoodStill(WorkerCase):
    """Its claims last two seconds."""

    times: ClassVar = {"claim": 2, "poll": 1}

    async def test_past_its_claim_it_ends_the_run_and_takes_the_next(self) -> None:
        worker = self.worker()
        task_id = await self.running(SCRIPT, retries=1)
        worker.signal(signal.SIGSTOP)
        await self.client.until(task_id, "pending")
        worker.signal(signal.SIGCONT)
        runs = await self.client.until_resolved(task_id)
        self.assertEqual([run["reasonResolved"] for run in runs], ["claim-expired", "completed"])
        await until(lambda: f"[{task_id}/0] ended as exception/claim-expired" in worker.output)
