"""What dead workers left beside folders and users: control groups."""

from __future__ import annotations

import os
import subprocess
from uuid import uuid4

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.engine.native import leftovers
from tcworker.engine.native.leftovers import kill_left, sweep_groups
from tcworker.launcher import cgroups
from tcworker.launcher.system import this_system
from tests.engine.native.harness import exists


def places() -> list[str]:
    """Where this process may make groups, one in each hierarchy."""
    hierarchies = [known for known in this_system().hierarchies() if os.access(known.own, os.W_OK)]
    # Nobody can live in a new group that has no processors yet.
    found = [known.own for known in hierarchies if "cpuset" not in known.controllers or known.version == 2]
    if not found:
        raise SkipTest("there can be no control groups here")
    return found


class GroupCase(SynchronousTestCase):
    """Tests with control groups of this machine."""

    def setUp(self):
        self.family = f"tcworker_{uuid4().hex[:8]}"

    def new_group(self, number: int, place: str, family: str | None = None) -> str:
        group = os.path.join(place, f"{family or self.family}_{number}")
        os.mkdir(group)
        self.addCleanup(cgroups.remove, group)
        return group

    def inhabit(self, *groups: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for group in groups:
            cgroups.put(process.pid, group)
        return process


class SweepTests(GroupCase):
    """Control groups of launchers that no record names."""

    def test_of_a_launcher_that_is_dead(self):
        """In whatever hierarchy."""
        groups = [self.new_group(number, place) for place in places() for number in (1, 2)]
        sweep_groups()
        self.assertEqual([group for group in groups if exists(group)], [])

    def test_of_a_launcher_that_lives(self):
        """Though nobody is in some of them just now."""
        groups = [self.new_group(number, place) for place in places() for number in (1, 2)]
        self.inhabit(groups[0])
        sweep_groups()
        self.assertEqual([group for group in groups if not exists(group)], [])

    def test_of_a_launcher_that_is_being_born(self):
        group = self.new_group(1, places()[0])
        self.patch(leftovers.time, "sleep", lambda seconds: self.inhabit(group))
        sweep_groups()
        self.assertTrue(exists(group))

    def test_of_somebody_else(self):
        group = self.new_group(1, places()[0], f"other_{uuid4().hex}")
        sweep_groups()
        self.assertTrue(exists(group))

    def test_of_a_worker_that_made_way_for_them(self):
        """The group that it is in is beside them."""
        place = self.new_group(1, places()[0], f"other_{uuid4().hex}")
        group, leaf = self.new_group(1, place), os.path.join(place, "tcworker")
        os.mkdir(leaf)
        self.patch(leftovers, "this_system", lambda: Machine(leaf))
        sweep_groups()
        self.assertEqual((exists(group), exists(leaf)), (False, True))

    def test_boots_without_leftovers_do_not_wait(self):
        sweep_groups()
        self.patch(leftovers.time, "sleep", lambda seconds: self.fail("it waited"))
        self.patch(leftovers, "_groups_in", lambda parent: [])
        sweep_groups()

    def test_a_system_without_control_groups(self):
        self.patch(leftovers, "this_system", Machine)
        sweep_groups()


class KillTests(GroupCase):
    """Control groups that the record of a sandbox names."""

    def left(self, **details: object) -> dict[str, object]:
        return {"pid": 1 << 22, "startTime": "1", **details}

    def test_who_lives_in_them_dies_and_they_go(self):
        groups = [self.new_group(1, place) for place in places()]
        process = self.inhabit(*groups)
        kill_left(self.left(groups=groups))
        self.assertEqual(process.wait(), -9)
        self.assertEqual([group for group in groups if exists(group)], [])

    def test_who_lives_in_a_group_that_the_task_made(self):
        group = self.new_group(1, places()[0])
        inner = os.path.join(group, "inner")
        os.mkdir(inner)
        process = self.inhabit(inner)
        kill_left(self.left(groups=[group]))
        self.assertEqual((process.wait(), exists(group)), (-9, False))

    def test_groups_that_are_gone(self):
        kill_left(self.left(groups=["/no/such/group"]))


class Machine:
    """A system with one place for control groups, or none."""

    def __init__(self, *places: str) -> None:
        self.places = places

    def hierarchies(self) -> list[cgroups.Hierarchy]:
        return [cgroups.Hierarchy(1, frozenset(), place) for place in self.places]
