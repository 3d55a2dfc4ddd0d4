from __future__ import annotations

import re
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parent.parent


class TheServersLimits(TestCase):
    timeout = 60

    async def test_each_is_measured(self) -> None:
        few = ("--tasks", "20", "--rounds", "1", "--calls", "3", "--workers", "4")
        command = [str(ROOT / "bench" / "server.py"), *few]
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        out, err, status = await getProcessOutputAndValue(sys.executable, command, environ, reactor=reactor)
        printed = out.decode()
        for row in (
            r"claimWork when a task waits, 95th percentile +[\d.]+ ms +< 5 ms",
            r"createTask until a waiting worker has it, 95th +[\d.]+ ms +< 20 ms",
            r"claimWork with 20 tasks +[\d.]+ times +< 2 times",
            r"handover with 20 tasks +[\d.]+ times +< 2 times",
            r"createTask with 20 tasks +[\d.]+ times +< 2 times",
            r"createTask a second, one caller +\d+ ",
            r"4 workers in claimWork, memory +[\d.]+ MB +< 150 MB +OK",
        ):
            self.assertTrue(re.search(row, printed), f"{row}\n{printed}{err.decode()}")
        self.assertEqual(status, int("MISSED" in printed), printed)
