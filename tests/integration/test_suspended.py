"""A worker that stood still: its machine slept, or its process was stopped."""

from __future__ import annotations

import signal
import time
from typing import ClassVar

from twisted.internet.defer import Deferred

from tcworker import worker
from tcworker.assemble import new_worker
from tcworker.clocks import run_steadily
from tcworker.watch.clock import ClockWatch
from tests.definitions import shell
from tests.integration import task_case
from tests.integration.task_case import TaskCase
from tests.integration.test_wrong_clocks import WrongReactor
from tests.integration.worker_case import WorkerCase
from tests.surroundings import until

SCRIPT = "echo begun; touch begun; [ $RUN_ID = 1 ] || sleep 60"
SLEPT = 30 * 60.0


class Slept(TaskCase):
    """For longer than a claim lasts, which is twenty minutes.

    Meanwhile the clock went on at the server and, as is seen afterwards, here. The reactor still waits for its next
    timer as if it had not, for it waits by a clock that stood still.
    """

    # Who asks for statuses would notice, too, though later.
    settings: ClassVar = {"statusPollSecs": 3600}

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.elsewhere, self.here = WrongReactor(0.0), WrongReactor(0.0)
        run_steadily(self.here, self.steady_seconds)
        self.patch(ClockWatch, "look_every", 0.1)
        self.patch(worker, "steady_seconds", self.steady_seconds)
        self.patch(task_case, "reactor", self.elsewhere)
        self.patch(task_case, "new_worker", lambda _, *more: new_worker(self.here, *more))
        return super().setUp()

    def steady_seconds(self) -> float:
        return time.monotonic() + self.here.wrong

    def sleep(self, seconds: float) -> None:
        self.elsewhere.set(seconds)
        self.here.wrong += seconds

    async def test_it_ends_the_run_on_waking_and_takes_the_next(self) -> None:
        task_id = await self.client.create(shell(SCRIPT), retries=1)
        await self.until_begun()
        self.sleep(SLEPT)
        runs = await self.client.until_resolved(task_id)
        self.assertEqual([run["reasonResolved"] for run in runs], ["claim-expired", "completed"])


class SleptWithoutASteadyClock(Slept):
    """On a system where every clock that nobody sets stands still, too, while the machine sleeps."""

    def steady_seconds(self) -> float:
        return time.monotonic()


class StoodStill(WorkerCase):
    """Its process was stopped; its claims last two seconds."""

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
