"""Runs from their claims to their ends, measured."""

from __future__ import annotations

import json
from typing import cast

from tcworker.feature.resource_monitor.feature import ResourceMonitorFeature
from tcworker.interfaces import Usage
from tcworker.task.resolution import COMPLETED, FAILED
from tcworker.testing.facilities import FakeFacilities
from tcworker.testing.platform import FakePlatform
from tcworker.watch.memory import Memory
from tests.task.test_service import BACKING, LIVE, Running

RECORD = "public/monitoring/resource-usage.json"


class WholeRuns(Running):
    """A worker that measures, and runs tasks in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.machine = Memory(1000, 900)
        self.facilities = FakeFacilities(self.clock, self.folder)
        monitor = ResourceMonitorFeature(self.clock, self.facilities.config, lambda: self.machine)
        self.facilities = FakeFacilities(self.clock, self.folder, features=[monitor])
        self.queue = self.facilities.queue

    def begin(self, seconds: float) -> None:
        """Run a task for so long that uses 2 MiB, and let it come so far."""
        self.run_task({"sleep": seconds})
        platform = cast(FakePlatform, self.facilities.platforms[0])
        platform.executions[0].usage = Usage(cpu=0.0, memory=2 * 2**20, disk=0, processes=1)

    def test_a_task_that_is_over_at_once_has_nothing_to_tell(self) -> None:
        self.run_task({"print": "hello"})
        self.assertNotIn("Resource use", self.log)
        self.assertEqual(sorted(self.published), [LIVE, BACKING])

    def test_the_table_ends_the_task_s_part_of_the_log(self) -> None:
        self.begin(5)
        self.clock.pump([0.5] * 11)
        self.assertRegex(self.log, r"(?s)Resource use.*Memory: +2.00 MiB +2.00 MiB.*=== Task Finished ===")

    def test_the_record_of_a_long_one_is_published_before_the_log(self) -> None:
        self.begin(30)
        self.clock.pump([0.5] * 61)
        self.assertEqual((self.published[0], sorted(self.published[1:])), (RECORD, [LIVE, BACKING]))
        record = json.loads(self.facilities.contexts[0].stored[RECORD])
        self.assertEqual({sample["memory"] for sample in record["samples"]}, {2 * 2**20})
        self.queue.answer("report_completed")
        self.assertEqual(self.ended, [COMPLETED])

    def test_one_that_takes_the_machine_s_memory_fails_and_its_log_says_why(self) -> None:
        self.begin(3600)
        self.clock.pump([0.5] * 20)
        self.machine = Memory(1000, 50)
        self.clock.pump([0.5] * 20)
        self.assertRegex(self.log, r"\[taskcluster:warn .*\] ending the task: .*out of memory")
        self.assertRegex(self.log, r"\[taskcluster:error\] task aborted .* this task uses 2.00 MiB")
        self.assertIn(RECORD, self.published)
        self.queue.answer("report_failed")
        self.assertEqual(self.ended, [FAILED])
