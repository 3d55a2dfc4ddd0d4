"""What dead workers left beside folders: control groups, and records of runs."""

from __future__ import annotations

import os
import subprocess
from uuid import uuid4

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.engine.native import leftovers
from tcworker.engine.native.leftovers import clean_up, sweep_groups
from tcworker.launcher.system import this_system
from tests.engine.native.harness import exists
from tests.engine.native.test_folder import FolderCase

NOBODYS = {"pid": 1 << 30, "startTime": "1", "group": None}


class CleanUpTests(FolderCase):
    """By a record."""

    def test_a_folder_whose_name_another_worker_has_now(self):
        path, _ = self.make_elsewhere()
        clean_up({**NOBODYS, "folder": path})
        self.assertTrue(exists(path))

    def test_a_folder_that_a_dead_worker_held(self):
        path = self.make_left()
        clean_up({**NOBODYS, "folder": path})
        self.assertFalse(exists(path))


class GroupTests(SynchronousTestCase):
    """Control groups of launchers."""

    def setUp(self):
        self.family = f"tcworker_{uuid4().hex[:8]}"

    def new_group(self, number: int, family: str | None = None) -> str:
        group = this_system().new_group(f"{family or self.family}_{number}")
        if group is None:
            raise SkipTest("there can be no control groups here")
        self.addCleanup(this_system().remove_group, group)
        return group

    def inhabit(self, group: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        with open(os.path.join(group, "cgroup.procs"), "w") as processes:
            processes.write(str(process.pid))
        return process

    def test_of_a_launcher_that_is_dead(self):
        groups = [self.new_group(number) for number in (1, 2)]
        sweep_groups()
        self.assertEqual([exists(group) for group in groups], [False, False])

    def test_of_a_launcher_that_lives(self):
        """Though nobody is in one of them just now."""
        groups = [self.new_group(number) for number in (1, 2)]
        self.inhabit(groups[0])
        sweep_groups()
        self.assertEqual([exists(group) for group in groups], [True, True])

    def test_of_a_launcher_that_is_being_born(self):
        group = self.new_group(1)
        self.patch(leftovers.time, "sleep", lambda seconds: self.inhabit(group))
        sweep_groups()
        self.assertTrue(exists(group))

    def test_of_somebody_else(self):
        group = self.new_group(1, f"other_{uuid4().hex}")
        sweep_groups()
        self.assertTrue(exists(group))

    def test_boots_without_leftovers_do_not_wait(self):
        sweep_groups()
        self.patch(leftovers.time, "sleep", lambda seconds: self.fail("it waited"))
        self.patch(leftovers, "_groups_in", lambda parent: [])
        sweep_groups()

    def test_a_system_without_control_groups(self):
        class NoGroups:
            def new_group(self, name: str) -> None:
                return None

        self.patch(leftovers, "this_system", NoGroups)
        sweep_groups()
