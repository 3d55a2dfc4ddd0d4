from __future__ import annotations

import re
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"

ROW = re.compile(r"^(\S.*?) {2,}(-?[\d.]+) (\S+) {2,}([<>]=?) ([\d.]+) \3 +(OK|MISSED)", re.MULTILINE)

STEPS = """
import os, subprocess
from limits import Step, at_least, measure, under
from watched import family

def rows(folder, wanted):
    yield under("below", 1.99, 2, "s")
    yield under("at the limit", 2.0, 2, "s")
    yield at_least("reached", 75.0, 75, "%")
    yield at_least("not reached", 74.99, 75, "%")

def endless(folder, wanted):
    yield under("in time", 1, 2, "s")
    subprocess.Popen(["sh", "-c", "setsid sleep 1000 & setsid setsid sleep 1000 & wait"])
    subprocess.run(["sleep", "1000"])

def broken(folder, wanted):
    raise OSError("of two\\nlines")
    yield
"""


class LimitsCase(TestCase):
    timeout = 60

    async def python(self, *arguments: str) -> tuple[str, str, int]:
        environ = {"PYTHONPATH": f"{ROOT}:{BENCH}", "PATH": "/usr/bin:/bin"}
        out, err, status = await getProcessOutputAndValue(sys.executable, arguments, environ, reactor=reactor)
        return out.decode(), err.decode(), status

    async def limits(self, *arguments: str) -> tuple[str, str, int]:
        return await self.python(str(BENCH / "limits.py"), *arguments)


class TheTable(LimitsCase):
    async def test_a_row_holds_what_was_measured_against_its_limit(self) -> None:
        out, err, status = await self.limits("help", "start")
        found = [(row[1], row[3], row[4], row[5]) for row in ROW.finditer(out)]
        self.assertEqual(
            found, [("tcworker --help", "s", "<", "0.3"), ("start to first claimWork", "s", "<", "1")], out + err
        )
        self.assertTrue(all(0 < float(row[2]) < 30 for row in ROW.finditer(out)), out)
        self.assertEqual(status, int("MISSED" in out), out)

    async def test_shares_are_those_of_the_null_worker(self) -> None:
        out, err, _ = await self.limits("shares", "--tasks", "3", "--rounds", "1")
        limits = {row[1]: (row[3], row[4], row[5]) for row in ROW.finditer(out)}
        self.assertEqual(limits["1 slot, worker's own user, share of --null"], ("%", ">=", "75"), out + err)
        self.assertEqual(limits["8 slots, worker's own user, share of --null"], ("%", ">=", "80"), out + err)

    async def test_an_artifact_as_large_as_the_command_line_says(self) -> None:
        out, err, _ = await self.limits("artifact", "--megabytes", "3")
        self.assertIn("artifact of 3 MB, worker's memory", out, err)
        self.assertTrue(ROW.search(out), out)

    async def test_a_step_that_is_none(self) -> None:
        out, err, status = await self.limits("help", "halp")
        self.assertEqual((out, status), ("", 2))
        self.assertIn("no step: halp", err)


class TheSteps(LimitsCase):
    async def script(self, text: str) -> str:
        out, err, status = await self.python("-c", STEPS + text)
        self.assertEqual(status, 0, out + err)
        return out

    async def test_a_limit_is_kept_or_missed(self) -> None:
        out = await self.script("print([row.kept for row in measure(Step('rows', rows, 5), None)])")
        self.assertEqual(out, "[True, False, True, False]\n")

    async def test_one_that_takes_too_long_is_missed_and_leaves_no_process(self) -> None:
        out = await self.script(
            "print(*measure(Step('endless', endless, 0.5), None), sep='\\n')\n"
            "print(family(os.getpid()) == [os.getpid()])"
        )
        first, second, alone = out.splitlines()
        self.assertRegex(first, "^in time .* OK")
        self.assertRegex(second, "^endless .* MISSED  TimeoutError: it took more than 0.5 s")
        self.assertEqual(alone, "True")

    async def test_one_that_fails_is_missed(self) -> None:
        out = await self.script("print(*measure(Step('broken', broken, 5), None))")
        self.assertRegex(out, "^broken .* MISSED  OSError: of two lines$")

    async def test_any_row_missed_makes_the_exit_status_1(self) -> None:
        script = "import limits\nlimits.STEPS[:] = [Step('rows', rows, 5)]\nprint(limits.main([]))"
        self.assertEqual((await self.script(script)).splitlines()[-1], "1")


class Artifacts(LimitsCase):
    async def test_many_and_hollow_ones(self) -> None:
        script = str(BENCH / "artifacts.py")
        out, err, status = await self.python(script, "--files", "20", "--megabytes", "3")
        limits = [(row[1], row[5]) for row in ROW.finditer(out)]
        memory = ("worker's memory meanwhile", "150")
        self.assertEqual(
            limits, [("20 artifacts of 1 KB", "60"), memory, ("artifact of 3 MB that is one hole", "120"), memory], err
        )
        self.assertEqual(status, int("MISSED" in out), out)
