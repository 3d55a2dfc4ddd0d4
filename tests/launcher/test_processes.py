"""Whose death is called that of want of memory."""

from __future__ import annotations

import contextlib
import os
import signal
from uuid import uuid4

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.interfaces import ExitStatus
from tcworker.launcher import portable
from tcworker.launcher.child import Surroundings
from tcworker.launcher.group import Group
from tcworker.launcher.processes import Processes
from tests.definitions import shell
from tests.engine.native.harness import NativeCase
from tests.surroundings import only_root

KILLS_ITSELF = "kill -9 $$"


class Machine:
    """A system on which the kernel kills when a test says so."""

    anybody_left = staticmethod(portable.anybody_left)
    expendable = staticmethod(portable.expendable)
    kill_all = staticmethod(portable.kill_all)

    def __init__(self) -> None:
        self.kills = 7

    def memory_kills(self) -> int:
        return self.kills


class OutOfMemoryTests(SynchronousTestCase):
    """The kernel counts for the whole machine, so somebody of the run must have died as by its hand."""

    def setUp(self):
        self.machine = Machine()
        surroundings = Surroundings(b"/", {b"PATH": b"/usr/bin:/bin"}, None)
        self.processes = Processes(self.machine, Group(), surroundings)
        self.addCleanup(lambda: list(self.processes.kill()))

    def start(self, script: str) -> int:
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            return self.processes.start(["sh", "-c", script], {}, [nothing] * 3).pid
        finally:
            os.close(nothing)

    def wait_for(self, pid: int) -> None:
        """Until it is dead, and still to be buried."""
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def stranger_dies(self, number: int) -> None:
        """As an orphan does that came to us."""
        # No fork of ours: that would have our handlers of signals, and live on.
        self.wait_for(os.posix_spawn("/bin/sh", ["sh", "-c", f"kill -{int(number)} $$"], {}))
        self.assertEqual(list(self.processes.reap()), [])

    def is_out_of_memory(self, script: str, kills: int) -> bool:
        """Of a process in whose time the kernel killed so many on this machine."""
        pid = self.start(script)
        self.machine.kills += kills
        self.wait_for(pid)
        ((_, end),) = self.processes.reap()
        return end["outOfMemory"]

    def test_killed_when_the_kernel_killed(self):
        self.assertTrue(self.is_out_of_memory(KILLS_ITSELF, kills=1))

    def test_killed_by_somebody_else(self):
        self.assertFalse(self.is_out_of_memory(KILLS_ITSELF, kills=0))

    def test_the_kernel_killed_before(self):
        self.machine.kills += 1
        self.assertFalse(self.is_out_of_memory(KILLS_ITSELF, kills=0))

    def test_a_shell_that_says_that_its_child_was_killed(self):
        self.assertTrue(self.is_out_of_memory(f"sh -c '{KILLS_ITSELF}'; exit $?", kills=1))
        self.assertFalse(self.is_out_of_memory(f"sh -c '{KILLS_ITSELF}'; exit $?", kills=0))

    def test_an_end_of_another_kind_while_the_kernel_killed_somebody(self):
        for script in ("exit 0", "exit 1", "kill -TERM $$"):
            self.assertFalse(self.is_out_of_memory(script, kills=1), script)

    def test_an_orphan_was_killed(self):
        self.stranger_dies(signal.SIGKILL)
        self.assertTrue(self.is_out_of_memory("exit 1", kills=1))

    def test_an_orphan_died_otherwise(self):
        self.stranger_dies(signal.SIGTERM)
        self.assertFalse(self.is_out_of_memory("exit 1", kills=1))

    def test_whom_we_kill(self):
        """Though the kernel killed somebody meanwhile."""
        self.start("exec sleep 3600")
        self.machine.kills += 1
        ((_, end),) = self.processes.kill()
        self.assertEqual((end["signal"], end["outOfMemory"]), (signal.SIGKILL, False))

    def test_who_was_dead_before_we_killed(self):
        pid = self.start(KILLS_ITSELF)
        self.machine.kills += 1
        self.wait_for(pid)
        ((_, end),) = self.processes.kill()
        self.assertTrue(end["outOfMemory"])


class RealTests(NativeCase):
    """A task with less memory than it wants, in a control group whose limit the kernel keeps."""

    most = 64 << 20
    wants = "dd if=/dev/zero of=/dev/null bs=256M count=1"

    def setUp(self):
        self.group = self.new_group()

    def new_group(self) -> str:
        """Of the memory controller, version 1 or 2; without swap, since that would be used first."""
        only_root()
        for parent, limit, swap, most_swap in (
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", self.most),
            ("/sys/fs/cgroup", "memory.max", "memory.swap.max", 0),
        ):
            group = os.path.join(parent, f"tcworker_test_{uuid4().hex}")
            with contextlib.suppress(OSError):
                os.mkdir(group)
                self.addCleanup(os.rmdir, group)
                self.write(group, limit, self.most)
                # It is not there where the kernel does not count swap.
                with contextlib.suppress(OSError):
                    self.write(group, swap, most_swap)
                return group
        raise SkipTest("there is no memory controller in /sys/fs/cgroup that lets us limit a group")

    def write(self, group: str, name: str, value: int) -> None:
        # Not made where there is none: the folder may be that of no group.
        with open(os.path.join(group, name), "r+") as file:
            file.write(str(value))

    def limited(self, script: str) -> dict[str, object]:
        return shell(f"echo $$ > {self.group}/cgroup.procs; {script}")

    async def test_a_command_is_killed(self):
        context, result = await self.run_task(self.limited(f"exec {self.wants}"))
        self.assertEqual([command.exit for command in result.commands], [ExitStatus(None, signal.SIGKILL)])
        self.assertTrue(result.out_of_memory, context.log.text)

    async def test_a_child_of_a_command_is_killed(self):
        context, result = await self.run_task(self.limited(f"{self.wants}; exit $?"))
        self.assertEqual([command.exit for command in result.commands], [ExitStatus(137)])
        self.assertTrue(result.out_of_memory, context.log.text)

    async def test_an_orphan_is_killed(self):
        """Nobody but the supervisor hears of it."""
        script = f"({self.wants} & echo $! > pid); while kill -0 $(cat pid); do sleep 0.01; done; exit 1"
        context, result = await self.run_task(self.limited(script))
        self.assertEqual([command.exit for command in result.commands], [ExitStatus(1)])
        self.assertTrue(result.out_of_memory, context.log.text)
