"""Finding control groups, and what both versions of them have in common."""

from __future__ import annotations

import os
import subprocess
import time
from uuid import uuid4

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.launcher import cgroup_v2, cgroups
from tcworker.launcher.cgroups import (
    Hierarchy,
    family,
    hierarchies,
    inhabitants,
    kill_each,
    members,
    numbers,
    put,
    remove,
    write,
)
from tcworker.launcher.groups import Groups
from tcworker.launcher.limits import NO_LIMITS
from tcworker.launcher.system import this_system
from tests.engine.native.harness import exists
from tests.launcher.headless import headless, is_headless

V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:11 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
"""
V2_MOUNT = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"


def folders(mounts: str, groups: str) -> dict[str, str]:
    """The folder of our group in each hierarchy, by the hierarchy's controllers."""
    return {",".join(sorted(found.controllers)): found.own for found in hierarchies(mounts, groups)}


def new_group() -> str:
    """A group of this machine that the caller removes."""
    for cell in Groups(this_system().hierarchies(), NO_LIMITS, set(), "owner").new().cells:
        # Not named as a launcher's: workers that start meanwhile remove those.
        path = os.path.join(os.path.dirname(cell.folder), f"test_tcworker_{uuid4().hex}")
        remove(cell.folder)
        os.mkdir(path)
        return path
    raise SkipTest("there can be no control groups here")


class HierarchyTests(SynchronousTestCase):
    """Where this process is."""

    def test_version_1(self):
        found = folders(V1_MOUNTS, "4:memory:/a/b\n1:cpu,cpuacct:/\n9:name=systemd:/x\n")
        self.assertEqual(found["memory"], "/sys/fs/cgroup/memory/a/b")
        self.assertEqual(found["cpu,cpuacct"], "/sys/fs/cgroup/cpu,cpuacct")

    def test_version_2_beside_it(self):
        found = hierarchies(V1_MOUNTS + V2_MOUNT, "4:memory:/a\n0::/b\n")
        self.assertEqual(
            found,
            [
                Hierarchy(1, frozenset({"memory"}), "/sys/fs/cgroup/memory/a"),
                Hierarchy(2, frozenset(), "/sys/fs/cgroup/unified/b"),
            ],
        )

    def test_in_a_container_only_its_own_part_is_mounted(self):
        mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        self.assertEqual(folders(mounts, "4:memory:/docker/abc\n"), {"memory": "/sys/fs/cgroup/memory"})
        self.assertEqual(folders(mounts, "4:memory:/docker/abc/x\n"), {"memory": "/sys/fs/cgroup/memory/x"})
        self.assertEqual(folders(mounts, "4:memory:/docker/abcde\n"), {})

    def test_a_group_outside_of_our_namespace(self):
        self.assertEqual(folders(V2_MOUNT, "0::/../other\n"), {})

    def test_mounted_twice(self):
        again = V2_MOUNT.replace("/sys/fs/cgroup/unified", "/elsewhere")
        (found,) = hierarchies(V2_MOUNT + again, "0::/\n")
        self.assertEqual(found.own, "/sys/fs/cgroup/unified")

    def test_not_mounted(self):
        self.assertEqual(folders("", "4:memory:/a\n0::/\n"), {})

    def test_a_mount_with_blanks_in_its_name(self):
        mounts = "41 31 0:38 / /control\\040groups rw - cgroup2 cgroup2 rw\n"
        self.assertEqual(folders(mounts, "0::/a\n"), {"": "/control groups/a"})


class FileTests(SynchronousTestCase):
    """Files of groups."""

    def test_writing_makes_no_file(self):
        folder = self.mktemp()
        os.mkdir(folder)
        self.assertRaises(FileNotFoundError, write, os.path.join(folder, "pids.max"), "7")
        self.assertEqual(os.listdir(folder), [])

    def test_numbers(self):
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("max 0\noom_kill 12\n")
        self.assertEqual(numbers(path), {"max": 0, "oom_kill": 12})


class RemoveTests(SynchronousTestCase):
    """Whoever may make a group may make groups in it."""

    def setUp(self):
        self.group = new_group()
        self.addCleanup(remove, self.group)

    def make(self, *names: str) -> str:
        path = os.path.join(self.group, *names)
        os.makedirs(path)
        return path

    def inhabit(self, group: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        write(os.path.join(group, "cgroup.procs"), str(process.pid))
        return process

    def test_with_groups_inside(self):
        self.make("a", "b", "c")
        self.make("a", "d")
        self.make("e")
        self.assertTrue(remove(self.group))
        self.assertFalse(exists(self.group))

    def test_with_groups_deeper_than_python_calls_itself(self):
        """Folders are removed like them, and made faster."""
        path = top = self.mktemp()
        # Should it be left, whoever removes it later might call himself.
        self.addCleanup(subprocess.run, ["rm", "-rf", top], check=True)
        for _ in range(1200):
            os.mkdir(path)
            path = os.path.join(path, "a")
        self.assertTrue(remove(top))

    def test_with_somebody_in_a_group_inside(self):
        inner = self.make("a", "b")
        process = self.inhabit(inner)
        self.assertFalse(remove(self.group))
        self.assertTrue(exists(inner))
        process.kill()
        process.wait()
        self.assertTrue(remove(self.group))

    def test_who_lives_in_it(self):
        inner = self.make("a", "b")
        process = self.inhabit(inner)
        self.assertEqual(members(self.group), [])
        self.assertEqual(inhabitants(self.group), [process.pid])

    def test_each_of_them_is_killed(self):
        """Also who has lost the first of its threads, which cgroup.kill leaves alive."""
        ordinary, process = self.inhabit(self.make("a", "b")), subprocess.Popen(headless())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        put(process.pid, self.group)
        while not is_headless(process.pid):
            time.sleep(0.001)
        cgroup_v2.kill(self.group)
        self.assertEqual((ordinary.wait(), process.wait()), (-9, -9))

    def test_killed_where_processes_have_no_descriptors(self):
        process = self.inhabit(self.group)
        self.patch(os, "pidfd_open", lambda pid: os.open("/no/such/file", os.O_RDONLY))
        kill_each(self.group)
        self.assertEqual(process.wait(), -9)

    def test_who_has_left_it_is_not_killed(self):
        """Its number may be another's by now."""
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        inhabitants = iter([[process.pid], []])
        self.patch(cgroups, "inhabitants", lambda group: next(inhabitants))
        kill_each(self.group)
        self.assertIsNone(process.poll())

    def test_somebody_of_elsewhere_is_not_us(self):
        """Its number is 0, which would mean all of our process group."""
        self.patch(cgroups, "inhabitants", lambda group: [0, os.getpid()])
        kill_each(self.group)

    def test_who_lives_in_one_that_does_not_tell(self):
        """As a group of threads is."""
        inner = self.make("a")
        self.patch(cgroups, "members", lambda group: [7] if group == self.group else os.listdir(f"{inner}/gone"))
        self.assertEqual(inhabitants(self.group), [7])

    def test_who_lives_in_one_that_is_gone(self):
        remove(self.group)
        self.assertRaises(OSError, inhabitants, self.group)

    def test_family_begins_with_the_outermost(self):
        inner = self.make("a", "b")
        self.assertEqual(family(self.group), [self.group, os.path.dirname(inner), inner])
