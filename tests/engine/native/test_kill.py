"""All that has a user's number, found and killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tcworker.engine.native.kill import kill_processes, processes_of
from tests.engine.native.nobodys import UID, NobodysCase

HEADLESS = """
use threads;
threads->create(sub { $| = 1; print "here\\n"; sleep 1 while 1 })->detach;
sleep 1;
syscall(60, 0);
"""
"""Of perl: the first thread ends (C{exit} of one thread alone), the other goes on."""


class KillTests(NobodysCase):
    """Whatever they do against it."""

    def test_processes_are_found_and_killed(self):
        process = self.as_user("sh", "-c", "trap '' TERM; echo here; while :; do sleep 1; done")
        process.stdout.readline()
        self.assertIn(process.pid, processes_of(UID))
        self.assertEqual(kill_processes(UID), set())
        self.assertEqual(process.wait(), -9)
        self.assertEqual(processes_of(UID), set())

    def test_one_that_gave_up_its_name_is_found(self):
        """Only its saved number still is the user's."""
        script = f"import os, time; os.setresuid(0, 0, {UID}); print(flush=True); time.sleep(100)"
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        self.assertEqual(kill_processes(UID), set())
        self.assertEqual(process.wait(), -9)

    def test_many_that_fork_all_the_time(self):
        process = self.as_user("perl", "-e", "$| = 1; print qq(here\\n); fork while 1", most=30)
        process.stdout.readline()
        until = time.monotonic() + 10
        while len(processes_of(UID)) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(kill_processes(UID), set())

    def test_one_that_stops_whom_it_can(self):
        """It can do nothing to those who come to kill it."""
        process = self.as_user("perl", "-e", "$| = 1; print qq(here\\n); while (1) { kill 'STOP', -1 }")
        process.stdout.readline()
        for _ in range(3):
            self.assertEqual(kill_processes(UID), set())
        self.assertEqual(process.wait(), -9)

    def test_one_whose_first_thread_has_ended(self):
        """The kernel calls it dead, but the others live."""
        if os.uname().machine != "x86_64":
            return
        process = self.as_user("perl", "-e", HEADLESS)
        process.stdout.readline()
        until = time.monotonic() + 10
        while b"\nState:\tZ" not in status_of(process.pid) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertIn(process.pid, processes_of(UID))
        self.assertEqual(kill_processes(UID), set())
        process.wait(10)

    def test_the_dead_do_not_count(self):
        process = self.as_user("true")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(processes_of(UID), set())


def status_of(pid: int) -> bytes:
    with open(f"/proc/{pid}/status", "rb") as file:
        return file.read()
