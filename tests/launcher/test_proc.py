"""What /proc says of processes, by what this one does."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.launcher import proc
from tests.launcher.headless import headless, is_headless

NOBODY = 1 << 22
"""No process has such a number."""


class ProcCase(SynchronousTestCase):
    """Tests that need Linux."""

    def setUp(self):
        if sys.platform != "linux":
            raise SkipTest("there is no /proc here")

    def start(self, script: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sh", "-c", f"{script}; echo; read x"], stdin=-1, stdout=-1)
        self.addCleanup(process.communicate)
        process.stdout.read(1)
        return process


class FieldTests(ProcCase):
    """One line of numbers for each."""

    def test_its_parent(self):
        self.assertEqual(proc.fields(os.getpid()).parent, os.getppid())

    def test_its_start_stays(self):
        self.assertEqual(proc.fields(os.getpid()).start, proc.fields(os.getpid()).start)

    def test_its_name_may_hold_blanks_and_brackets(self):
        folder = self.mktemp()
        os.mkdir(folder)
        program = os.path.join(folder, "a) R 1 (")
        os.symlink("/bin/sh", program)
        process = subprocess.Popen([program, "-c", "read x"], stdin=-1)
        self.addCleanup(process.communicate)
        self.assertEqual(proc.fields(process.pid).parent, os.getpid())

    def test_its_time_counts_the_children_that_it_buried(self):
        process = self.start("sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'")
        self.assertGreater(proc.fields(process.pid).cpu, 0.02)

    def test_nobody(self):
        self.assertIsNone(proc.fields(NOBODY))


class UseTests(ProcCase):
    """What else it uses."""

    def test_memory_is_its_own(self):
        before = proc.memory(os.getpid())
        # Of the kernel: what Python's heap gives may be its own already.
        with mmap.mmap(-1, 50 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
            block.write(b"x" * (50 << 20))
            after = proc.memory(os.getpid())
        self.assertGreater(after.own - before.own, 40 << 20)
        self.assertEqual(after.shared, before.shared)

    def test_memory_that_it_shares(self):
        before = proc.memory(os.getpid())
        with mmap.mmap(-1, 50 << 20) as block:
            block.write(b"x" * (50 << 20))
            after = proc.memory(os.getpid())
        self.assertEqual(after.shared - before.shared, 50 << 20)
        self.assertLess(after.own - before.own, 10 << 20)

    def test_disk(self):
        self.assertGreaterEqual(proc.disk(os.getpid()), 0)

    def test_nobody_uses_anything(self):
        self.assertEqual((proc.memory(NOBODY), proc.disk(NOBODY)), ((0, 0), 0))


class FamilyTests(ProcCase):
    """Who comes from whom."""

    def test_children_and_theirs(self):
        process = self.start("sleep 100 & sleep 100 & :")
        theirs = proc.descendants(process.pid)
        self.assertEqual(len(theirs), 2)
        found = proc.descendants(os.getpid())
        self.assertIn(process.pid, found)
        self.assertLess(theirs, found)
        for pid in theirs:
            os.kill(pid, 9)

    def test_the_dead_are_not_among_them(self):
        process = subprocess.Popen(["true"])
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertNotIn(process.pid, proc.descendants(os.getpid()))
        process.wait()

    def test_those_whose_first_thread_has_ended_are(self):
        process = subprocess.Popen(headless())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        while not is_headless(process.pid):
            time.sleep(0.001)
        self.assertIn(process.pid, proc.descendants(os.getpid()))
