"""What a user of its own costs a task, measured for few tasks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.surroundings import only_root

ROOT = Path(__file__).resolve().parent.parent


class OwnUsers(TestCase):
    timeout = 60

    async def test_each_is_measured(self) -> None:
        only_root()
        command = [str(ROOT / "bench" / "own_users.py"), "--tasks", "4"]
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/sbin:/usr/bin:/bin"}
        out, err, status = await getProcessOutputAndValue(sys.executable, command, environ, reactor=reactor)
        printed = out.decode()
        for row in (
            r"task with its own user, from claim to report +-?[\d.]+ ms +< 150 ms",
            r"start of the last sandboxes, of the first +[\d.]+ times +< 1.3 times",
        ):
            self.assertTrue(re.search(row, printed), f"{row}\n{printed}{err.decode()}")
        self.assertEqual(status, int("MISSED" in printed), printed)
