from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parent.parent


class ThroughputTests(TestCase):
    timeout = 60

    async def bench(self, *arguments: str, **environ: str) -> tuple[str, str, int]:
        command = [str(ROOT / "bench" / "throughput.py"), *arguments]
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | environ
        out, err, status = await getProcessOutputAndValue(sys.executable, command, environ, reactor=reactor)
        return out.decode(), err.decode(), status

    async def test_the_null_worker_resolves_every_task(self) -> None:
        out, err, status = await self.bench("true", "-n", "5", "--embedded", "--null", "--capacity", "2")
        self.assertEqual(status, 0, err)
        self.assertIn("tasks            5, of which 0 did not complete", out)
        figures = dict(re.findall(r"^([\w ]*\w) {2,}([\d.]+)", out, re.MULTILINE))
        self.assertEqual(
            list(figures), ["tasks", "tasks a minute", "median", "95th percentile", "CPU", "peak memory"], out
        )
        self.assertTrue(all(float(figure) > 0 for figure in figures.values()), out)

    async def test_it_says_whom_the_tasks_run_as(self) -> None:
        whom = {(): "the worker's own"}
        if os.geteuid() == 0:
            whom |= {("--setting", "taskUsers=true"): "one for each task", ("--setting", 'taskUser="nobody"'): "nobody"}
        for settings, expected in whom.items():
            out, err, status = await self.bench("true", "-n", "2", "--embedded", *settings)
            self.assertEqual((status, out.splitlines()[-1]), (0, f"users            {expected}"), err)

    async def test_a_worker_that_gives_up_is_not_waited_for(self) -> None:
        _, err, status = await self.bench("true", "-n", "1", "--embedded", "--worker", "sh -c 'exit 7' {config}")
        self.assertEqual(status, 1)
        self.assertIn("ended too early, with exit status 7", err)

    async def test_without_a_taskcluster_it_says_what_to_do(self) -> None:
        _, err, status = await self.bench("true")
        self.assertEqual(status, 1)
        self.assertIn("TASKCLUSTER_CLIENT_ID is not set", err)
