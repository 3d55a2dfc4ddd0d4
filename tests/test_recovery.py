"""What a worker does about the runs of one that died."""

from __future__ import annotations

import os
from datetime import timedelta

from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tcworker.interfaces import Credentials
from tcworker.recovery import settle
from tcworker.state import RunRecord
from tcworker.task.resolution import COMPLETED, FAILED, Resolution
from tcworker.testing.facilities import FakeFacilities
from tcworker.waiting import now


class LeftRuns(TestCase):
    """Runs in the state store when a worker boots."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = self.mktemp()
        self.facilities = FakeFacilities(self.clock, self.folder)
        self.queue = self.facilities.queue

    def left(
        self, name: str, resolution: Resolution | None = None, *, seconds: float = 600, reported: bool = False
    ) -> RunRecord:
        until = now(self.clock) + timedelta(seconds=seconds)
        run = RunRecord(name, 0, until, until, Credentials("run", "secret"), resolution=resolution, reported=reported)
        self.facilities.memory.claimed(run)
        os.makedirs(os.path.join(self.folder, "runs", f"{name}-0"))
        return run

    def folders(self) -> list[str]:
        return os.listdir(os.path.join(self.folder, "runs"))

    def test_one_that_was_under_way_goes_to_another_worker(self) -> None:
        settled = settle([self.left("a")], self.facilities)
        self.assertEqual(self.queue.answer("report_exception").body, {"reason": "worker-shutdown"})
        self.successResultOf(settled)
        self.assertEqual((self.facilities.memory.kept, self.folders()), ({}, []))

    def test_what_was_decided_is_reported_as_it_was(self) -> None:
        settled = settle([self.left("a", COMPLETED), self.left("b", FAILED)], self.facilities)
        self.queue.answer("report_completed")
        self.queue.answer("report_failed")
        self.successResultOf(settled)
        self.assertEqual(self.facilities.memory.kept, {})

    def test_what_was_reported_is_only_cleaned_up(self) -> None:
        self.successResultOf(settle([self.left("a", COMPLETED, reported=True)], self.facilities))
        self.assertEqual((self.queue.calls, self.folders()), ([], []))

    def test_after_the_end_of_the_claim_there_is_nothing_to_say(self) -> None:
        self.successResultOf(settle([self.left("a", seconds=-1)], self.facilities))
        self.assertEqual((self.queue.calls, self.facilities.memory.kept), ([], {}))

    def test_an_outage_keeps_them_for_the_next_start_and_the_worker_from_nothing(self) -> None:
        settled = settle([self.left("a", COMPLETED)], self.facilities)
        for _ in range(100):
            if self.queue.waiting("report_completed"):
                self.queue.lose("report_completed")
            self.clock.advance(1)
        self.successResultOf(settled)
        self.assertEqual(len(self.facilities.memory.kept), 1)

    def test_one_that_cannot_be_settled_keeps_no_other_from_it(self) -> None:
        first, second = self.left("a", reported=True), self.left("b", reported=True)
        done = self.facilities.memory.done
        self.patch(
            self.facilities.memory, "done", lambda task, run: fail(OSError("disk")) if task == "a" else done(task, run)
        )
        self.successResultOf(settle([first, second], self.facilities))
        self.assertEqual([task for task, _ in self.facilities.memory.kept], ["a"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
