"""The group of a supervisor: entered, left, killed, removed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tcworker.launcher import cgroup_v1, cgroup_v2, group
from tcworker.launcher.group import Cell, Group
from tests.launcher.trees import V1_MEMORY, V1_PIDS, V2, TreeCase, said


class GroupTests(TreeCase):
    """Whoever kills a group must not be in it."""

    def setUp(self):
        self.done: list[str] = []
        self.failing: Sequence[str] = ()
        self.patch(group, "enter", lambda folder: self.do("enter", folder))
        self.patch(group, "remove", lambda folder: self.do("remove", folder))

    def do(self, what: str, folder: str) -> None:
        text = f"{what} {os.path.basename(folder)}"
        if text in self.failing:
            raise OSError(text)
        self.done.append(text)

    def cell(self, version, files, *controllers: str) -> Cell:
        folder = self.grow(files)
        return Cell(version, set(controllers), folder, os.path.join(folder, "outside"))

    def unified(self, *controllers: str) -> Cell:
        made = self.cell(cgroup_v2, V2, *controllers)
        self.name = os.path.basename(made.folder)
        return made

    def test_left_to_kill_and_entered_again(self):
        one = Group([self.unified()])
        one.enter()
        one.kill()
        one.kill()
        self.assertEqual(said(one.folders[0], "cgroup.kill"), "1")
        one.enter()
        one.remove()
        self.assertEqual(self.done, [f"enter {self.name}", "enter outside"] * 2 + [f"remove {self.name}"])

    def test_only_what_is_killed_is_left(self):
        """The limits stay: nobody of the task is out of them for a moment."""
        one = Group([self.unified(), self.cell(cgroup_v1, V1_MEMORY, "memory")])
        one.enter()
        one.kill()
        self.assertEqual(self.done.count("enter outside"), 1)
        one.remove()
        self.assertEqual(self.done.count("enter outside"), 2)

    def test_one_that_cannot_be_left_is_not_killed(self):
        one = Group([self.unified()])
        one.enter()
        self.failing = ["enter outside"]
        one.kill()
        self.assertEqual(said(one.folders[0], "cgroup.kill"), "")

    def test_one_that_cannot_be_entered_is_none(self):
        one = Group([self.unified()])
        self.failing = [f"enter {self.name}"]
        one.enter()
        self.assertEqual((one.folders, self.done), ([], [f"remove {self.name}"]))

    def test_one_with_limits_must_be_entered(self):
        one = Group([self.unified("memory")])
        self.failing = [f"enter {self.name}"]
        self.assertRaises(OSError, one.enter)

    def test_none(self):
        one = Group()
        one.enter()
        self.assertEqual(one.folders, [])
        one.kill()
        one.remove()
        self.assertEqual(self.done, [])

    def test_one_of_version_1_cannot_be_killed_at_once(self):
        """We would have to leave it, and with it the limits."""
        one = Group([self.cell(cgroup_v1, V1_PIDS, "pids")])
        one.enter()
        one.kill()
        self.assertNotIn("enter outside", self.done)

    def test_killed_from_outside(self):
        one = Group([self.unified()])
        one.kill()
        self.assertEqual((said(one.folders[0], "cgroup.kill"), self.done), ("1", []))

    def test_counters_are_of_what_is_limited(self):
        one = Group([self.unified(), self.cell(cgroup_v1, V1_MEMORY, "memory"), self.cell(cgroup_v1, V1_PIDS, "pids")])
        self.assertEqual(one.exceeded(), {"memory": 3, "pids": 5})
        self.assertEqual(one.memory(), 500000)
        self.assertTrue(one.limits_memory)
        one.lift_memory()
        self.assertEqual(said(one.folders[1], "memory.limit_in_bytes"), "-1")
        self.assertEqual(said(one.folders[0], "memory.max"), "max")
        self.assertFalse(Group([self.unified("pids")]).limits_memory)
