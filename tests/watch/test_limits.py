"""What a process may have, against what a worker of its capacity needs."""

from __future__ import annotations

import os
import resource
from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import ConfigError
from tcworker.launcher.cgroups import Hierarchy
from tcworker.testing.facilities import FakeFacilities
from tcworker.watch import limits as process_limits
from tcworker.watch.limits import allow_files, check_process_limits, most_files, most_processes


class Checking(SynchronousTestCase):
    def setUp(self) -> None:
        self.config = FakeFacilities(Clock(), self.mktemp()).config
        self.may_have(files=None, processes=None)

    def may_have(self, files: int | None, processes: int | None) -> None:
        self.patch(process_limits, "most_files", lambda: files)
        self.patch(process_limits, "most_processes", lambda: processes)

    def refusal(self, capacity: int) -> str:
        check = self.assertRaises(ConfigError, check_process_limits, replace(self.config, capacity=capacity))
        return str(check)

    def test_no_limits(self) -> None:
        check_process_limits(replace(self.config, capacity=255))

    def test_the_usual_ones_are_enough_for_the_usual_capacities(self) -> None:
        self.may_have(files=1024, processes=4096)
        for capacity in (1, 8, 40):
            check_process_limits(replace(self.config, capacity=capacity))

    def test_too_few_files(self) -> None:
        self.may_have(files=1024, processes=None)
        text = self.refusal(100)
        for part in ("capacity: found 100", "open files", "1024", "LimitNOFILE=2464", "ulimit -n 2464"):
            self.assertIn(part, text)

    def test_tasks_that_are_published_count_too(self) -> None:
        self.may_have(files=400, processes=None)
        self.refusal(20)
        check_process_limits(replace(self.config, capacity=20, overlap_uploads=False))

    def test_too_few_processes(self) -> None:
        self.may_have(files=None, processes=100)
        self.assertIn("TasksMax=440", self.refusal(100))

    def test_all_that_lacks_is_said_at_once(self) -> None:
        self.may_have(files=50, processes=20)
        self.assertEqual(len(self.refusal(1).splitlines()), 2)


class Allowing(SynchronousTestCase):
    def allowed(self, soft: int, hard: int) -> int:
        """The soft limit afterwards."""
        limits = [(soft, hard)]
        self.patch(resource, "getrlimit", lambda kind: limits[-1])
        self.patch(resource, "setrlimit", lambda kind, new: limits.append(new))
        allow_files()
        self.assertEqual(limits[-1][1], hard)
        return limits[-1][0]

    def test_as_many_as_the_largest_capacity_needs(self) -> None:
        self.assertEqual(self.allowed(1024, 524288), 6184)
        self.assertEqual(self.allowed(1024, resource.RLIM_INFINITY), 6184)

    def test_not_more_than_it_may(self) -> None:
        self.assertEqual(self.allowed(1024, 4096), 4096)

    def test_never_fewer_than_there_were(self) -> None:
        self.assertEqual(self.allowed(20000, 20000), 20000)
        self.assertEqual(self.allowed(resource.RLIM_INFINITY, resource.RLIM_INFINITY), resource.RLIM_INFINITY)


class ThisProcess(SynchronousTestCase):
    def group(self, path: str, limit: str) -> str:
        os.makedirs(path, exist_ok=True)
        for name, text in (("cgroup.procs", ""), ("pids.max", limit)):
            with open(os.path.join(path, name), "w") as file:
                file.write(text)
        return path

    def is_in(self, *hierarchies: Hierarchy) -> None:
        class System:
            def hierarchies(self) -> list[Hierarchy]:
                return list(hierarchies)

        self.patch(process_limits, "this_system", System)
        self.patch(os, "geteuid", lambda: 0)

    def test_files(self) -> None:
        self.patch(resource, "getrlimit", lambda kind: (1024, 4096))
        self.assertEqual(most_files(), 1024)
        self.patch(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertIsNone(most_files())

    def test_processes_of_an_ordinary_user(self) -> None:
        self.is_in()
        self.patch(resource, "getrlimit", lambda kind: (200, 400))
        self.assertIsNone(most_processes())
        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(most_processes(), 200)

    def test_processes_in_a_control_group(self) -> None:
        """The least of it and those that it is in."""
        top = self.group(self.mktemp(), "300")
        inner = self.group(os.path.join(top, "inner"), "max")
        self.is_in(Hierarchy(2, frozenset(), inner))
        self.assertEqual(most_processes(), 300)
        self.group(inner, "70")
        self.assertEqual(most_processes(), 70)

    def test_of_version_1_only_where_processes_are_counted(self) -> None:
        group = self.group(self.mktemp(), "50")
        self.is_in(Hierarchy(1, frozenset({"memory"}), group))
        self.assertIsNone(most_processes())
        self.is_in(Hierarchy(1, frozenset({"pids"}), group))
        self.assertEqual(most_processes(), 50)

    def test_this_machine_can_be_asked(self) -> None:
        most = most_processes()
        self.assertTrue(most is None or most > 0)
