"""A worker dies when its task is completed, and the next ones come to report that only when the run was given away."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from twisted.internet import reactor

from tcworker.embedded.times import Times
from tcworker.waiting import pause
from tests.faults.case import ChaosCase
from tests.faults.fates import Call, Fate
from tests.faults.tasks import publishes


class CompletedAndNotReported(ChaosCase):
    """No worker lives for long enough to report, and each next one knows no clock but its own."""

    timeout = 120
    times: ClassVar = Times(claim=4, poll=0.5, dependencies=0.1)

    async def test_the_run_has_its_log_and_a_verdict(self) -> None:
        task = publishes(Random("given away"), str(self.journal))
        reports: list[Call] = []
        given_away = False

        def decide(call: Call) -> Fate:
            if given_away or not call.path.endswith(f"/{task.task_id}/runs/0/completed"):
                return Fate.PASSES
            reports.append(call)
            # The first one is still to remember what it wants to report.
            reactor.callLater(0 if reports[1:] else 0.5, self.worker.kill)
            return Fate.RESET_BEFORE

        self.proxy.decide = decide
        await self.give([task])
        self.worker.start()
        while not given_away:
            await pause(reactor, 0.1)
            runs = (await self.client.queue.status(task.task_id))["status"]["runs"]
            given_away = bool(runs) and "resolved" in runs[0]
        all_runs = await self.until_resolved([task], 60)
        await self.until_settled()
        await self.assertAllAsTheyWereToEnd([task], all_runs)
        first = await self.client.seen(task.task_id, all_runs[task.task_id], 0)
        self.assertEqual((first.resolution, first.verdict["cause"]), ("exception/claim-expired", "claim-lost"))
        self.assertIn("the run was completed, but the queue could not be told", first.verdict["message"])
        await self.assertNothingLeft()
