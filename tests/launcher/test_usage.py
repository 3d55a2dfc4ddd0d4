"""What a run uses, told by groups or by processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace

from twisted.trial.unittest import SkipTest

from tcworker.launcher import cgroup_v1, cgroup_v2, proc
from tcworker.launcher.group import Cell, Group
from tcworker.launcher.usage import Meter
from tests.launcher.trees import V1_CPU, V1_MEMORY, V1_PIDS, V2, TreeCase, fill


class MeterCase(TreeCase):
    """Meters of this process, as if it were a supervisor."""

    def setUp(self):
        if sys.platform != "linux":
            raise SkipTest("nobody measures here")
        self.patch(time, "process_time", lambda: self.own)
        self.own = 0.5

    def cell(self, version, files: Mapping[str, str], *controllers: str) -> Cell:
        folder = self.grow(files)
        return Cell(version, set(controllers), folder, folder)


class GroupTests(MeterCase):
    """Groups tell."""

    def setUp(self):
        super().setUp()
        unified = self.cell(cgroup_v2, {**V2, "cgroup.procs": f"{os.getpid()}\n7\n8\n"}, "memory")
        self.folder = unified.folder
        self.meter = Meter(Group([unified]))

    def test_from_now_on(self):
        used = self.meter.measure()
        self.assertEqual((used["cpu"], used["memory"]), (0, 0))

    def test_the_supervisor_is_not_counted(self):
        self.assertEqual(self.meter.measure()["processes"], 2)

    def test_processes_in_groups_that_the_task_made_are(self):
        fill(os.path.join(self.folder, "inner"), {"cgroup.procs": "9\n"})
        self.assertEqual(self.meter.measure()["processes"], 3)

    def test_time_is_without_that_of_the_supervisor(self):
        fill(self.folder, {"cpu.stat": "usage_usec 5500000\n"})
        self.own += 1
        self.assertEqual(self.meter.measure()["cpu"], 2)

    def test_memory(self):
        fill(self.folder, {"memory.current": "3000000"})
        self.assertEqual(self.meter.measure()["memory"], 2000000)

    def test_memory_of_the_run_before_that_is_given_back(self):
        fill(self.folder, {"memory.current": "900000"})
        self.assertEqual(self.meter.measure()["memory"], 0)

    def test_a_group_that_is_gone(self):
        os.rmdir(self.folder)
        self.assertRaises(OSError, self.meter.measure)


class ProcessTests(MeterCase):
    """Where no group tells, each process is asked."""

    def setUp(self):
        super().setUp()
        self.cpu = {7: 1.0, 8: 0.5}
        self.patch(proc, "descendants", lambda root: set(self.cpu))
        self.patch(proc, "fields", lambda pid: proc.Fields(b"S", 1, 1, "1", self.cpu[pid]) if pid in self.cpu else None)
        self.patch(proc, "memory", lambda pid: proc.Memory(1000 * pid, 100 * pid))
        self.patch(proc, "disk", lambda pid: 10 * pid)

    def test_no_group(self):
        used = Meter(Group()).measure()
        self.assertAlmostEqual(used["cpu"], 1.5)
        self.assertEqual((used["memory"], used["disk"], used["processes"]), (15800, 150, 2))

    def test_what_processes_share_counts_as_what_the_largest_has_of_it(self):
        self.assertEqual(Meter(Group()).measure()["memory"], 15000 + 800)

    def test_files_in_memory_count_though_no_process_has_them(self):
        whole = SimpleNamespace(f_frsize=4, f_blocks=1000, f_bfree=400)
        self.patch(os, "statvfs", {"/shm": whole}.__getitem__)
        self.assertEqual(Meter(Group(), "/shm").measure()["memory"], 15000 + 600 * 4)

    def test_files_in_memory_that_processes_have_count_once(self):
        whole = SimpleNamespace(f_frsize=4, f_blocks=1000, f_bfree=900)
        self.patch(os, "statvfs", {"/shm": whole}.__getitem__)
        self.assertEqual(Meter(Group(), "/shm").measure()["memory"], 15000 + 800)

    def test_time_never_goes_backwards(self):
        """What nobody waited for is lost to the count with its process."""
        meter = Meter(Group())
        meter.measure()
        del self.cpu[7]
        self.assertAlmostEqual(meter.measure()["cpu"], 1.5)

    def test_a_group_that_limits_something_else_tells_who_lives(self):
        meter = Meter(Group([self.cell(cgroup_v1, {**V1_PIDS, "cgroup.procs": "8\n"}, "pids")]))
        used = meter.measure()
        self.assertAlmostEqual(used["cpu"], 0.5)
        self.assertEqual((used["memory"], used["processes"]), (8800, 1))

    def test_a_hierarchy_that_counts_time_is_asked_for_that_alone(self):
        files = {**V1_CPU, "cgroup.procs": "7\n8\n"}
        meter = Meter(Group([self.cell(cgroup_v1, files, "cpu"), self.cell(cgroup_v1, V1_MEMORY, "memory")]))
        used = meter.measure()
        self.assertEqual((used["cpu"], used["memory"], used["disk"]), (0, 0, 150))
