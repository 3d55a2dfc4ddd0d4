"""What faults cost, measured for few tasks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parent.parent


class Faults(TestCase):
    timeout = 120

    async def test_cancellations_are_measured(self) -> None:
        command = [str(ROOT / "bench" / "bench_faults.py"), "--running", "3"]
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/sbin:/usr/bin:/bin"}
        out, err, status = await getProcessOutputAndValue(sys.executable, command, environ, reactor=reactor)
        printed = out.decode()
        for row in (
            r"a cancel to SIGTERM, 3 running +[\d.]+ ms +< 300 ms",
            r"3 cancels at once to SIGTERM +[\d.]+ ms +< 1e\+03 ms",
        ):
            self.assertTrue(re.search(row, printed), f"{row}\n{printed}{err.decode()}")
        self.assertEqual(status, int("MISSED" in printed), printed)
