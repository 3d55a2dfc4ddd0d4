"""What real tasks use, measured by a whole worker."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from unittest import skipUnless

from tcworker.claims import room
from tcworker.feature.resource_monitor import feature
from tests.definitions import shell
from tests.integration.task_case import TaskCase
from tests.integration.task_client import Outcome

RECORD = "public/monitoring/resource-usage.json"
MIB = 2**20

# "tail" keeps a line that does not end.
BUSY = "{ head -c 80M /dev/zero; timeout 2 sh -c 'while :; do :; done'; } | tail | wc -c"
"""Two seconds' work, with 80 MiB of memory."""


@skipUnless(sys.platform == "linux", "only Linux tells what processes use")
class ResourceUse(TaskCase):
    """A worker that publishes the record of every run that was measured."""

    async def prepare(self) -> None:
        # What ten seconds would show, two show as well.
        self.patch(feature, "WORTH_A_RECORD", 1.0)
        await super().prepare()

    async def record(self, outcome: Outcome) -> Any:
        return json.loads(await self.client.content(outcome.task_id, 0, RECORD))

    async def test_what_a_task_used_is_in_its_log_and_in_its_record(self) -> None:
        outcome = await self.run_task(shell(BUSY))
        self.assertResolved(outcome, "completed", "Resource use, measured", "CPU:", "Memory:", "=== Task Finished ===")
        record = await self.record(outcome)
        self.assertGreater(record["totals"]["cpu"]["peak"], 0.3)
        self.assertLess(record["totals"]["cpu"]["peak"], 8)
        self.assertGreater(max(sample["memory"] for sample in record["samples"]), 80 * MIB)
        self.assertLess(record["totals"]["memory"]["peak"], 400 * MIB)
        self.assertGreaterEqual(record["totals"]["processes"]["peak"], 1)
        times = [sample["time"] for sample in record["samples"]]
        self.assertEqual(times, sorted(times))

    async def test_a_record_is_kept_as_long_as_the_task(self) -> None:
        outcome = await self.run_task(shell(BUSY))
        backing = outcome.artifacts["public/logs/live_backing.log"]
        self.assertEqual(outcome.artifacts[RECORD]["expires"], backing["expires"])

    async def test_a_file_of_the_task_does_not_take_its_place(self) -> None:
        script = f"mkdir -p public/monitoring; echo mine > {RECORD}; sleep 1.5"
        outcome = await self.run_task(shell(script, artifacts=[{"type": "directory", "path": "public"}]))
        self.assertResolved(outcome, "completed", f"artifact {RECORD} is left out")
        self.assertIn("samples", await self.record(outcome))

    async def test_a_short_task_is_not_measured(self) -> None:
        outcome = await self.run_task(shell("true"))
        self.assertNotIn("Resource use", outcome.log)

    async def test_a_task_that_wants_none_has_none(self) -> None:
        outcome = await self.run_task(shell("sleep 1.5", features={"resourceMonitor": False}))
        self.assertNotIn("Resource use", outcome.log)
        self.assertNotIn(RECORD, outcome.artifacts)


class SwitchedOff(TaskCase):
    """A pool that measures nothing."""

    settings: ClassVar[Mapping[str, Any]] = {"enableResourceMonitor": False}

    async def test_a_task_that_asks_for_it_runs_without(self) -> None:
        outcome = await self.run_task(shell("sleep 1", features={"resourceMonitor": True}))
        self.assertResolved(outcome, "completed")
        self.assertNotIn("Resource use", outcome.log)


@skipUnless(sys.platform == "linux", "only Linux tells what processes use")
class MemoryRunsOut(TaskCase):
    """A worker of two slots for which no machine has memory enough."""

    settings: ClassVar[Mapping[str, Any]] = {
        "capacity": 2,
        "maxMemoryUsagePercent": 0,
        "minAvailableMemoryBytes": 2**60,
        "allowedHighMemoryDurationSecs": 1,
    }

    async def test_the_largest_task_is_ended_and_the_other_goes_on(self) -> None:
        # It would claim nothing if it knew: on a true machine the memory is used up later.
        self.patch(room, "read_memory", lambda: None)
        small = await self.client.create(shell("touch begun; until [ -e go ]; do sleep 0.05; done"))
        large = await self.run_task(shell("{ head -c 80M /dev/zero; sleep 60; } | tail | wc -c"))
        self.let_go()
        self.assertResolved(large, "failed", "ending the task: task aborted - the machine is out of memory")
        [error] = large.errors
        self.assertRegex(error, r"this task uses \d+\.\d\d MiB, the most")
        self.assertResolved(await self.client.outcome(small), "completed")

    def let_go(self) -> None:
        """Let the task end that has begun and waits."""
        [begun] = Path(self.site.folder, "tasks").glob("*/begun")
        begun.with_name("go").touch()
