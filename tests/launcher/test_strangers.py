"""Killing what others started for the user of a run."""

from __future__ import annotations

import os
import signal
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher import processes as processes_module
from tcworker.launcher.child import Account, Surroundings
from tcworker.launcher.group import Group
from tcworker.launcher.processes import Processes
from tcworker.launcher.system import this_system
from tests.surroundings import only_root

USER = 1_345_000_000 + os.getpid()
OTHER = USER + 100_000_000
"""Numbers that nobody has, on this machine and now."""


class StrangerTests(SynchronousTestCase):
    """As root, who alone has users for runs."""

    def setUp(self):
        only_root()

    def processes(self, own_user: bool = True) -> Processes:
        surroundings = Surroundings(b"/", {}, Account(USER, USER, ()), own_user)
        return Processes(this_system(), Group(), surroundings)

    def start(self, argv: list[str], user: int = USER) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(argv, user=user, group=user, extra_groups=[], cwd="/", stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def start_stopping_all(self) -> subprocess.Popen[bytes]:
        """One that stops all of its user, again and again."""
        process = self.start(["sh", "-c", "echo; while :; do kill -STOP -1; done"])
        process.stdout.read(1)
        return process

    def test_they_die(self):
        process = self.start(["sleep", "100"])
        self.processes().kill_strangers()
        self.assertEqual(process.wait(), -signal.SIGKILL)

    def test_those_of_others_do_not(self):
        process = self.start(["sleep", "100"], OTHER)
        self.processes().kill_strangers()
        self.assertIsNone(process.poll())

    def test_where_the_user_is_not_the_runs_alone(self):
        process = self.start(["sleep", "100"])
        self.processes(own_user=False).kill_strangers()
        self.assertIsNone(process.poll())

    def test_they_cannot_stop_who_kills_them(self):
        process = self.start_stopping_all()
        self.processes().kill_strangers()
        self.assertEqual(process.wait(), -signal.SIGKILL)

    def test_in_a_container_without_numbers_that_are_nobodys(self):
        process = self.start(["sleep", "100"])
        self.patch(os, "setresuid", lambda *numbers: os.stat("/no/such/file"))
        self.processes().kill_strangers()
        self.assertEqual(process.wait(), -signal.SIGKILL)

    def test_a_killer_that_they_stop_is_not_waited_for(self):
        self.patch(processes_module, "kill_all_of", lambda account: os.kill(os.getpid(), signal.SIGSTOP))
        self.patch(processes_module, "_HELPER_PATIENCE", 0.2)
        processes, before = self.processes(), this_system().children(os.getpid())
        processes.kill_strangers()
        self.assertEqual(len(this_system().children(os.getpid()) - before), 1)
        processes.end_helpers()
        # Others have children in this process, too.
        self.assertEqual(this_system().children(os.getpid()) - before, set())

    def test_a_helper_that_does_not_die(self):
        """It must not be there in the next run."""
        self.patch(processes_module, "_HELPER_PATIENCE", 0.2)
        processes = self.processes()
        pid = processes.fork_helper()
        if pid == 0:
            os.execv("/bin/sleep", ["sleep", "100"])
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        self.patch(os, "kill", lambda pid, number: None)
        self.assertRaises(TimeoutError, processes.end_helpers)
