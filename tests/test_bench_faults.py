"""What faults cost, measured for few tasks."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parent.parent


class Faults(TestCase):
    timeout = 120

    async def bench(self, *arguments: str, rows: Sequence[str]) -> str:
        command = [str(ROOT / "bench" / "bench_faults.py"), *arguments]
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/sbin:/usr/bin:/bin"}
        out, err, status = await getProcessOutputAndValue(sys.executable, command, environ, reactor=reactor)
        printed = out.decode()
        for row in rows:
            self.assertTrue(re.search(row, printed), f"{row}\n{printed}{err.decode()}")
        self.assertEqual(status, int("MISSED" in printed), printed)
        return printed

    async def test_cancellations_are_measured(self) -> None:
        rows = (
            r"a cancel to SIGTERM, 3 running +[\d.]+ ms +< 300 ms",
            r"3 cancels at once to SIGTERM +[\d.]+ ms +< 1e\+03 ms",
        )
        await self.bench("--running", "3", "--hours", "1", rows=rows)

    async def test_hours_of_claims_leave_nothing_and_statuses_cost_a_call_an_interval(self) -> None:
        rows = (
            r"statuses an interval, 1 tasks in hand +[\d.]+ calls +< 1.1 calls",
            r"statuses an interval, 255 tasks in hand +[\d.]+ calls +< 1.1 calls",
            r"6 hours of claims, memory's growth +-?[\d.]+ % +< 5 %",
            r"6 hours of claims, timers left +0.00 timers",
            r"6 hours of claims, runs not forgotten +0.00 runs",
        )
        # With one outage of the queue in it.
        printed = await self.bench("--simulated", "--hours", "6", rows=rows)
        self.assertNotIn("MISSED", printed)
