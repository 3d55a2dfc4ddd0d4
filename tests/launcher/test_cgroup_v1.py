"""Control groups of version 1."""

from __future__ import annotations

import os

from tcworker.launcher import cgroup_v1
from tcworker.launcher.limits import NO_LIMITS, Limits
from tests.launcher.trees import V1_CPU, V1_MEMORY, V1_PIDS, TreeCase, said

ALL = {"memory", "pids", "cpu"}
LIMITS = Limits(memory=64 << 20, pids=100, cpus=1.5)


class LimitTests(TreeCase):
    """What is written where."""

    def test_memory(self):
        group = self.grow(V1_MEMORY)
        cgroup_v1.limit(group, {"memory"}, LIMITS)
        self.assertEqual(said(group, "memory.limit_in_bytes"), "67108864")
        self.assertEqual(said(group, "memory.memsw.limit_in_bytes"), "67108864")

    def test_memory_where_swap_is_not_counted(self):
        group = self.grow(V1_MEMORY)
        os.unlink(os.path.join(group, "memory.memsw.limit_in_bytes"))
        cgroup_v1.limit(group, {"memory"}, LIMITS)
        self.assertEqual(said(group, "memory.limit_in_bytes"), "67108864")

    def test_pids(self):
        group = self.grow(V1_PIDS)
        cgroup_v1.limit(group, {"pids"}, LIMITS)
        self.assertEqual(said(group, "pids.max"), "100")

    def test_cpus(self):
        group = self.grow(V1_CPU)
        cgroup_v1.limit(group, {"cpu"}, LIMITS)
        self.assertEqual(said(group, "cpu.cfs_quota_us"), "150000")
        self.assertEqual(said(group, "cpu.cfs_period_us"), "100000")

    def test_nothing_that_nobody_asked_for(self):
        group = self.grow({})
        cgroup_v1.limit(group, ALL, NO_LIMITS)
        cgroup_v1.limit(group, {"cpuset"}, LIMITS)
        self.assertEqual(os.listdir(group), [])


class LiftTests(TreeCase):
    """Nothing of a task lives, and something of it is left in memory."""

    def test_memory(self):
        group = self.grow(V1_MEMORY)
        cgroup_v1.limit(group, {"memory"}, LIMITS)
        cgroup_v1.lift_memory(group)
        self.assertEqual(said(group, "memory.limit_in_bytes"), "-1")
        self.assertEqual(said(group, "memory.memsw.limit_in_bytes"), "-1")

    def test_memory_where_swap_is_not_counted(self):
        group = self.grow(V1_MEMORY)
        os.unlink(os.path.join(group, "memory.memsw.limit_in_bytes"))
        cgroup_v1.lift_memory(group)
        self.assertEqual(said(group, "memory.limit_in_bytes"), "-1")


class CounterTests(TreeCase):
    """What the kernel tells."""

    def test_memory_is_without_what_the_kernel_would_give_up(self):
        self.assertEqual(cgroup_v1.memory(self.grow(V1_MEMORY)), 500000)

    def test_exceeded(self):
        self.assertEqual(cgroup_v1.exceeded(self.grow(V1_MEMORY), "memory"), 3)
        self.assertEqual(cgroup_v1.exceeded(self.grow(V1_PIDS), "pids"), 5)
        self.assertEqual(cgroup_v1.exceeded(self.grow(V1_CPU), "cpu"), 0)

    def test_a_kernel_that_does_not_count_whom_it_killed(self):
        group = self.grow({"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"})
        self.assertEqual(cgroup_v1.exceeded(group, "memory"), 0)

    def test_cpu_where_it_is_counted(self):
        group = self.grow(V1_CPU)
        self.assertTrue(cgroup_v1.counts_cpu(group))
        self.assertEqual(cgroup_v1.cpu(group), 2.5)
        self.assertFalse(cgroup_v1.counts_cpu(self.grow(V1_PIDS)))

    def test_they_cannot_be_killed_at_once(self):
        self.assertFalse(cgroup_v1.kills(self.grow(V1_MEMORY)))
