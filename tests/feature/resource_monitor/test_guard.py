"""Who is ended when the machine has too little memory, and when."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.resource_monitor.guard import MemoryGuard, MemoryThreshold
from tcworker.watch.memory import Memory

GIB = 2**30
PLENTY = Memory(10 * GIB, 5 * GIB)
LITTLE = Memory(10 * GIB, GIB // 4)


class Run:
    """Keeps what it is told."""

    def __init__(self, memory: int | None) -> None:
        self.memory = memory
        self.measured = 0
        self.ended_for: list[str] = []
        self.warned: list[str] = []

    def measure(self) -> None:
        self.measured += 1

    def end(self, why: str) -> None:
        self.ended_for.append(why)

    def warn(self, why: str) -> None:
        self.warned.append(why)


class GuardTest(SynchronousTestCase):
    """Three runs on a machine of 10 GiB."""

    only_warn = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.machine: Memory | None = LITTLE
        self.reads = 0
        self.guard = MemoryGuard(self.clock, MemoryThreshold(90, GIB // 2, 5, self.only_warn), self.read)
        self.small, self.large, self.middle = self.runs = [Run(GIB), Run(5 * GIB), Run(3 * GIB)]
        self.leave = [self.guard.watch(run) for run in self.runs]
        self.addCleanup(self.all_leave)

    def read(self) -> Memory | None:
        self.reads += 1
        return self.machine

    def all_leave(self) -> None:
        for leave in self.leave:
            leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def pass_seconds(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    def ended(self) -> list[Run]:
        return [run for run in self.runs if run.ended_for]


class TheGuard(GuardTest):
    """Of memory that runs out."""

    def test_the_one_that_uses_most_is_ended_and_no_other(self) -> None:
        self.pass_seconds(7)
        self.assertEqual(self.ended(), [self.large])

    def test_what_it_says(self) -> None:
        self.pass_seconds(7)
        [text] = self.large.ended_for
        for part in ("out of memory", "5 seconds", "90 %", "10.00 GiB", "512.00 MiB", "256.00 MiB", "uses 5.00 GiB"):
            self.assertIn(part, text)

    def test_nobody_is_before_it_has_lasted(self) -> None:
        self.pass_seconds(6)
        self.assertEqual(self.ended(), [])

    def test_a_moment_of_relief_begins_the_time_anew(self) -> None:
        self.pass_seconds(5)
        self.machine = PLENTY
        self.pass_seconds(1)
        self.machine = LITTLE
        self.pass_seconds(6)
        self.assertEqual(self.ended(), [])
        self.pass_seconds(1)
        self.assertEqual(self.ended(), [self.large])

    def test_both_limits_count(self) -> None:
        for machine in (Memory(100 * GIB, 6 * GIB), Memory(GIB, GIB // 4)):
            self.machine = machine
            self.pass_seconds(20)
        self.assertEqual(self.ended(), [])

    def test_the_next_one_only_when_the_first_is_gone_and_it_still_lasts(self) -> None:
        self.pass_seconds(30)
        self.assertEqual(self.ended(), [self.large])
        self.leave[1]()
        self.pass_seconds(6)
        self.assertEqual(self.ended(), [self.large])
        self.pass_seconds(1)
        self.assertEqual(self.ended(), [self.large, self.middle])

    def test_nobody_else_when_the_end_of_one_was_enough(self) -> None:
        self.pass_seconds(7)
        self.leave[1]()
        self.machine = PLENTY
        self.pass_seconds(60)
        self.assertEqual(self.ended(), [self.large])

    def test_runs_are_measured_anew_before_one_is_chosen(self) -> None:
        self.pass_seconds(4)
        self.assertTrue(all(run.measured for run in self.runs))
        self.small.memory = 8 * GIB
        self.pass_seconds(3)
        self.assertEqual(self.ended(), [self.small])

    def test_nothing_is_measured_for_it_while_there_is_plenty(self) -> None:
        self.machine = PLENTY
        self.pass_seconds(60)
        self.assertEqual([run.measured for run in self.runs], [0, 0, 0])

    def test_one_of_which_nobody_knows_what_it_uses(self) -> None:
        unknown = Run(None)
        for leave in self.leave:
            leave()
        self.leave = [self.guard.watch(unknown)]
        self.pass_seconds(7)
        [text] = unknown.ended_for
        self.assertIn("unknown", text)

    def test_a_machine_that_tells_nothing(self) -> None:
        self.machine = None
        self.pass_seconds(60)
        self.assertEqual(self.ended(), [])

    def test_a_clock_that_is_set_forward_ends_nobody(self) -> None:
        self.pass_seconds(2)
        self.clock.advance(3600)
        self.assertEqual(self.ended(), [])

    def test_it_looks_only_while_something_runs(self) -> None:
        self.all_leave()
        self.pass_seconds(60)
        self.assertEqual(self.reads, 0)

    def test_to_leave_twice_is_to_leave(self) -> None:
        self.leave[1]()
        self.leave[1]()
        self.pass_seconds(7)
        self.assertEqual(self.ended(), [self.middle])


class WithoutProtection(GuardTest):
    """Where nobody is to be ended."""

    only_warn = True

    def test_the_one_that_uses_most_is_warned_once(self) -> None:
        self.pass_seconds(60)
        self.assertEqual(self.ended(), [])
        [text] = self.large.warned
        self.assertIn("disableOOMProtection", text)
        self.assertEqual(self.small.warned + self.middle.warned, [])
