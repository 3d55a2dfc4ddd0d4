"""What is told of a run's resource use."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.resource_monitor.report import document, table
from tcworker.feature.resource_monitor.series import Series
from tcworker.interfaces import CommandRecord, ExitStatus, Usage
from tcworker.testing.sandbox import FakeResult

MIB = 2**20


def command(wall: float, peak: int = 0) -> CommandRecord:
    return CommandRecord(["make", "it"], ExitStatus(0), user=1.25, system=0.5, wall=wall, peak=peak)


class ReportTest(SynchronousTestCase):
    """A run of two seconds that was measured twice."""

    def setUp(self) -> None:
        self.series = Series(0.0)
        self.series.add(1.0, Usage(0.5, 100 * MIB, 4096, 2))
        self.series.add(2.0, Usage(2.5, 300 * MIB, 5120, 5))
        self.result = FakeResult(commands=[command(0.75, 100 * MIB), command(1.25, 512 * MIB)])


class TheTable(ReportTest):
    """The lines of the log."""

    def test_every_line(self) -> None:
        self.assertEqual(
            table(self.series.totals, self.result).split("\n"),
            [
                "Resource use, measured 2 times in 2.0 s:",
                "                      Mean         Peak",
                "         CPU:         1.25         2.00  processors",
                "      Memory:   200.00 MiB   512.00 MiB",
                "   Processes:         3.50            5",
                "        Disk:     5.00 KiB  read and written",
            ],
        )

    def test_a_run_without_a_command(self) -> None:
        self.assertIn("300.00 MiB", table(self.series.totals, FakeResult()))


class TheDocument(ReportTest):
    """The artifact."""

    def document(self) -> Any:
        return json.loads(document(self.series, self.result, 2.25))

    def test_samples_are_as_the_page_draws_them(self) -> None:
        self.assertEqual(
            self.document()["samples"],
            [
                {"time": 1.0, "cpu": 0.5, "memory": 100 * MIB, "disk": 4096, "processes": 2},
                {"time": 2.0, "cpu": 2.0, "memory": 300 * MIB, "disk": 5120, "processes": 5},
            ],
        )

    def test_the_whole_run(self) -> None:
        content = self.document()
        self.assertEqual((content["version"], content["seconds"]), (1, 2.25))
        self.assertEqual(
            content["totals"],
            {
                "cpu": {"mean": 1.25, "peak": 2.0},
                "memory": {"mean": 200 * MIB, "peak": 512 * MIB},
                "processes": {"mean": 3.5, "peak": 5},
                "disk": 5120,
            },
        )

    def test_when_each_command_ran_but_not_what_it_was(self) -> None:
        content = self.document()
        self.assertEqual([(each["time"], each["seconds"]) for each in content["commands"]], [(0.0, 0.75), (0.75, 1.25)])
        self.assertEqual(content["commands"][1]["memory"], 512 * MIB)
        self.assertNotIn("make", json.dumps(content))
