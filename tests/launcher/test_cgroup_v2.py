"""Control groups of version 2."""

from __future__ import annotations

import os

from tcworker.launcher import cgroup_v2
from tcworker.launcher.limits import NO_LIMITS, CannotLimit, Limits
from tests.launcher.trees import V2, TreeCase, fill, said

LIMITS = Limits(memory=64 << 20, pids=100, cpus=0.5)


class LimitTests(TreeCase):
    """What is written where."""

    def limits_of(self, limits: Limits) -> dict[str, str]:
        group = self.grow(V2)
        cgroup_v2.limit(group, {"memory", "pids", "cpu"}, limits)
        return {name: said(group, name) for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max")}

    def test_all(self):
        """No swap: it would let a task have more, and slowly."""
        expected = {"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "100", "cpu.max": "50000 100000"}
        self.assertEqual(self.limits_of(LIMITS), expected)

    def test_none(self):
        expected = {"memory.max": "max", "memory.swap.max": "max", "pids.max": "max", "cpu.max": "max 100000"}
        self.assertEqual(self.limits_of(NO_LIMITS), expected)

    def test_memory_where_swap_is_not_counted(self):
        group = self.grow(V2)
        os.unlink(os.path.join(group, "memory.swap.max"))
        cgroup_v2.limit(group, {"memory"}, LIMITS)
        self.assertEqual(said(group, "memory.max"), "67108864")

    def test_memory_no_longer(self):
        group = self.grow(V2)
        cgroup_v2.limit(group, {"memory"}, LIMITS)
        cgroup_v2.lift_memory(group)
        self.assertEqual(said(group, "memory.max"), "max")


class CounterTests(TreeCase):
    """What the kernel tells."""

    def test_memory_is_without_what_the_kernel_would_give_up(self):
        self.assertEqual(cgroup_v2.memory(self.grow(V2)), 400000)

    def test_exceeded(self):
        group = self.grow(V2)
        self.assertEqual([cgroup_v2.exceeded(group, name) for name in ("memory", "pids", "cpu")], [3, 5, 0])

    def test_cpu(self):
        group = self.grow(V2)
        self.assertTrue(cgroup_v2.counts_cpu(group))
        self.assertEqual(cgroup_v2.cpu(group), 2.5)

    def test_kill(self):
        group = self.grow(V2)
        self.assertTrue(cgroup_v2.kills(group))
        cgroup_v2.kill(group)
        self.assertEqual(said(group, "cgroup.kill"), "1")

    def test_a_kernel_that_cannot_kill_groups(self):
        group = self.grow({"cgroup.procs": ""})
        self.assertFalse(cgroup_v2.kills(group))
        cgroup_v2.kill(group)
        self.assertEqual(os.listdir(group), ["cgroup.procs"])


class DelegateTests(TreeCase):
    """A group hands controllers down only when its processes are all in groups within."""

    def delegate(self, own: str, *ours: int) -> tuple[str, str]:
        return cgroup_v2.delegate(own, {"memory", "pids"}, set(ours))

    def refused(self, own: str, *ours: int) -> str:
        return str(self.assertRaises(CannotLimit, self.delegate, own, *ours))

    def test_the_worker_and_its_launcher_make_way(self):
        own = self.grow({**V2, "cgroup.procs": "11\n12\n"})
        leaf = os.path.join(own, "tcworker")
        self.assertEqual(self.delegate(own, 11, 12), (own, leaf))
        self.assertIn(said(leaf, "cgroup.procs"), ("11", "12"))
        self.assertEqual(said(own, "cgroup.subtree_control"), "+memory +pids")

    def test_again_by_the_next_launcher(self):
        """It was born where the worker is by now."""
        own = self.grow(V2)
        leaf = fill(os.path.join(own, "tcworker"), {**V2, "cgroup.procs": "11\n13\n"})
        self.assertEqual(self.delegate(leaf, 11, 13), (own, leaf))
        self.assertEqual(said(own, "cgroup.subtree_control"), "+memory +pids")

    def test_what_it_can_hand_down(self):
        own = self.grow(V2)
        leaf = fill(os.path.join(own, "tcworker"), {**V2, "cgroup.controllers": ""})
        self.assertEqual(cgroup_v2.controllers(own), {"cpu", "memory", "pids"})
        self.assertEqual(cgroup_v2.controllers(leaf), {"cpu", "memory", "pids"})
        self.assertEqual(cgroup_v2.controllers("/no/such/group"), frozenset())

    def test_others_live_there(self):
        own = self.grow({**V2, "cgroup.procs": "11\n12\n4711\n"})
        said_so = self.refused(own, 11, 12)
        self.assertIn(f"{own} (4711)", said_so)
        self.assertIn("Delegate=yes and DelegateSubgroup=tcworker", said_so)
        self.assertEqual(said(own, "cgroup.procs"), "11\n12\n4711\n")

    def test_many_others(self):
        own = self.grow({**V2, "cgroup.procs": "\n".join(map(str, range(1, 20)))})
        self.assertIn("(1, 2, 3, 4, 5, …)", self.refused(own))

    def test_the_root_of_the_machine_may_have_processes(self):
        own = self.grow({**V2, "cgroup.procs": "1\n11\n12\n"})
        os.unlink(os.path.join(own, "cgroup.type"))
        self.assertEqual(self.delegate(own, 11, 12), (own, own))

    def test_not_ours(self):
        own = self.grow({**V2, "cgroup.procs": "11\n"})
        os.unlink(os.path.join(own, "cgroup.subtree_control"))
        self.assertIn("only root can", self.refused(own, 11))
