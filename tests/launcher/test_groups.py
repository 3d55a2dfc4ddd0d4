"""Where groups are made, on machines of all kinds."""

from __future__ import annotations

import os

from tcworker.launcher import cgroup_v1, cgroup_v2
from tcworker.launcher.cgroups import Hierarchy
from tcworker.launcher.groups import Groups
from tcworker.launcher.limits import NO_LIMITS, CannotLimit, Limits
from tests.launcher.trees import V1_CPU, V1_MEMORY, V1_PIDS, V2, TreeCase, fill, said

LIMITS = Limits(memory=64 << 20, pids=100, cpus=0.5)


class GroupsCase(TreeCase):
    """Machines."""

    def version_1(self) -> list[Hierarchy]:
        return [
            Hierarchy(1, frozenset({"memory"}), self.grow(V1_MEMORY)),
            Hierarchy(1, frozenset({"pids"}), self.grow(V1_PIDS)),
            Hierarchy(1, frozenset({"cpu", "cpuacct"}), self.grow(V1_CPU)),
            Hierarchy(1, frozenset({"name=systemd"}), self.grow({"cgroup.procs": ""})),
        ]

    def version_2(self, *controllers: str, procs: str = "") -> Hierarchy:
        files = {**V2, "cgroup.procs": procs, "cgroup.controllers": " ".join(controllers)}
        return Hierarchy(2, frozenset(), self.grow(files))

    def new(self, hierarchies: list[Hierarchy], limits: Limits) -> dict[str, str]:
        """The folders of a group, by the file that limits them."""
        group = Groups(hierarchies, limits, set(), "owner").new()
        self.cells = group.cells
        return {name: cell.folder for cell in group.cells for name in os.listdir(cell.folder)}

    def refused(self, hierarchies: list[Hierarchy], limits: Limits = LIMITS) -> str:
        return str(self.assertRaises(CannotLimit, self.new, hierarchies, limits))


class PlaceTests(GroupsCase):
    """Which hierarchies are used."""

    def test_version_1_alone(self):
        files = self.new(self.version_1(), LIMITS)
        self.assertEqual(said(files["memory.limit_in_bytes"], "memory.limit_in_bytes"), "67108864")
        self.assertEqual(said(files["cpu.cfs_quota_us"], "cpu.cfs_quota_us"), "50000")
        self.assertEqual(len(self.cells), 3)

    def test_version_2_alone(self):
        files = self.new([self.version_2("cpu", "memory", "pids")], LIMITS)
        self.assertEqual(said(files["memory.max"], "memory.max"), "67108864")
        self.assertEqual([cell.controllers for cell in self.cells], [{"cpu", "memory", "pids"}])

    def test_version_2_beside_version_1_kills(self):
        self.new([*self.version_1(), self.version_2()], LIMITS)
        self.assertEqual([cell.version for cell in self.cells], [cgroup_v2, cgroup_v1, cgroup_v1, cgroup_v1])
        self.assertEqual(self.cells[0].controllers, set())

    def test_each_controller_is_where_it_is(self):
        memory, *_ = self.version_1()
        self.new([memory, self.version_2("pids", "cpu")], LIMITS)
        self.assertEqual([cell.controllers for cell in self.cells], [{"pids", "cpu"}, {"memory"}])

    def test_in_a_leaf_to_which_nothing_was_handed_down_yet(self):
        """As systemd starts a worker with DelegateSubgroup."""
        place = self.version_2("memory", "pids").own
        leaf = fill(os.path.join(place, "tcworker"), {**V2, "cgroup.controllers": ""})
        self.new([Hierarchy(2, frozenset(), leaf)], Limits(pids=7))
        self.assertEqual([os.path.dirname(cell.folder) for cell in self.cells], [place])

    def test_only_what_limits_something(self):
        self.new([*self.version_1(), self.version_2()], Limits(pids=7))
        self.assertEqual([cell.controllers for cell in self.cells], [set(), {"pids"}])

    def test_without_limits_to_kill_alone(self):
        self.new([*self.version_1(), self.version_2("memory", procs="1\n2\n")], NO_LIMITS)
        self.assertEqual([cell.version for cell in self.cells], [cgroup_v2])
        self.assertEqual(said(os.path.dirname(self.cells[0].folder), "cgroup.subtree_control"), "")

    def test_the_supervisor_is_not_counted(self):
        """It is in the group as well."""
        files = self.new(self.version_1(), Limits(pids=100))
        self.assertEqual(said(files["pids.max"], "pids.max"), "101")

    def test_names_are_never_the_same(self):
        hierarchies = [self.version_2()]
        launchers = [Groups(hierarchies, NO_LIMITS, set(), "owner") for _ in range(2)]
        made = [group.folders[0] for launcher in launchers for group in (launcher.new(), launcher.new())]
        self.assertEqual(len(set(made)), 4)


class RefusalTests(GroupsCase):
    """Limits that cannot be kept are never left out; without them a task does without a group."""

    def test_no_groups_at_all(self):
        self.assertIn("no control groups that limit cpu, memory, pids", self.refused([]))
        self.assertEqual(self.new([], NO_LIMITS), {})

    def test_a_controller_that_is_not_handed_down(self):
        unified = self.version_2("cpu", "memory")
        said_so = self.refused([unified])
        self.assertIn(f"{unified.own}, the control group of the worker, was not given", said_so)
        self.assertIn("limits pids", said_so)
        self.assertIn("Delegate=yes", said_so)

    def test_a_folder_that_is_not_ours(self):
        said_so = self.closed(self.version_1())
        self.assertIn("that limits memory cannot be made in", said_so)
        self.assertNotIn("Delegate=yes", said_so)

    def test_a_folder_of_version_2_that_is_not_ours(self):
        said_so = self.closed([self.version_2("cpu", "memory", "pids")])
        self.assertIn("whom it was given to (systemd: Delegate=yes", said_so)

    def closed(self, hierarchies: list[Hierarchy]) -> str:
        def refuse(path: str, mode: int = 0o777) -> None:
            raise PermissionError(13, "Permission denied")

        groups = Groups(hierarchies, LIMITS, set(), "owner")
        self.patch(os, "mkdir", refuse)
        said_so = str(self.assertRaises(CannotLimit, groups.new))
        self.assertIn("only root can", said_so)
        return said_so

    def test_a_folder_that_is_not_ours_without_limits(self):
        hierarchies = [self.version_2()]
        os.chmod(hierarchies[0].own, 0o555)
        self.patch(os, "mkdir", lambda path, mode=0o777: os.open("/no/such/file", os.O_RDONLY))
        self.assertEqual(self.new(hierarchies, NO_LIMITS), {})

    def test_a_value_that_the_kernel_refuses(self):
        """Nothing is left of it."""
        hierarchies = self.version_1()

        def refuse(path: str, value: str) -> None:
            raise OSError(22, "Invalid argument")

        groups = Groups(hierarchies, LIMITS, set(), "owner")
        self.patch(cgroup_v1, "write", refuse)
        said_so = str(self.assertRaises(CannotLimit, groups.new))
        self.assertIn("(Invalid argument): choose a value that the kernel takes", said_so)
        self.assertEqual([name for found in hierarchies for name in os.listdir(found.own) if "tcworker_" in name], [])

    def test_a_group_that_cannot_be_killed_is_of_no_use(self):
        unified = Hierarchy(2, frozenset(), self.grow({"cgroup.procs": ""}))
        self.assertEqual(self.new([unified], NO_LIMITS), {})
        self.assertEqual(os.listdir(unified.own), ["cgroup.procs"])
