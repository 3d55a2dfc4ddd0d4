"""What one task may have of the machine, with control groups of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SkipTest

from tcworker.engine.native.platform import NativePlatform
from tcworker.errors import ConfigError, InternalError, TaskFailed
from tcworker.interfaces import ExitStatus, IExecution
from tcworker.launcher.cgroups import inhabitants
from tcworker.launcher.system import this_system
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.engines.shells import Recorder
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, new_config, new_tasks_dir, score_of, supervisors_of, touch
from tests.surroundings import until

EATS = "(dd if=/dev/zero of=/dev/null bs=300M count=1)"
"""In a process of its own, which the shell outlives."""

FORKS = "i=0; while [ $i -lt 300 ]; do sleep 600 & i=$((i+1)); done"
"""Not endlessly: should the limit not be kept, the machine stays as it is."""

TOO_MUCH = "The task needed more than the 64 MB of memory that a task may have here (limits.memoryMB)"
TOO_MANY = "The task was refused more than the 50 processes that a task may have here (limits.pids)"


class LimitCase(NativeCase):
    """Tests with a platform whose tasks have limits."""

    limits: ClassVar[dict[str, Any]] = {"limits_memory_mb": 64, "limits_pids": 50, "limits_cpus": 0.5}

    async def new_platform(self, **settings: Any) -> NativePlatform:
        try:
            return await super().new_platform(**{**self.limits, **settings})
        except ConfigError as error:
            raise SkipTest(str(error)) from error

    async def run_and_dispose(self, *scripts: str, platform: NativePlatform) -> tuple[FakeTaskContext, bool]:
        """What it printed, and whether it succeeded."""
        context, result = await self.run_task(shell(*scripts), platform)
        await result.dispose()
        return context, result.success


class MemoryTests(LimitCase):
    """Whoever of a task was killed, and however its command ended: it has failed."""

    async def fails(self, *scripts: str, platform: NativePlatform | None = None) -> Sequence[ExitStatus]:
        """How the commands ended."""
        context, result = await self.run_task(shell(*scripts), platform)
        self.assertIn(TOO_MUCH, context.log.text)
        self.assertEqual((result.success, result.out_of_memory, result.killed), (False, True, None))
        return [command.exit for command in result.commands]

    async def test_a_command(self):
        self.assertEqual(await self.fails(f"exec {EATS[1:-1]}"), [ExitStatus(None, signal.SIGKILL)])

    async def test_a_grandchild_of_a_command_that_fails(self):
        """As make does when its compiler is killed."""
        self.assertEqual(await self.fails(f"sh -c '{EATS} || exit 2' || exit 3"), [ExitStatus(3)])

    async def test_a_child_of_a_command_that_succeeds(self):
        """What it was to do is not done; nor is what comes next."""
        self.assertEqual(await self.fails(f"{EATS}; exit 0", "echo next"), [ExitStatus(0)])

    async def test_an_orphan(self):
        orphan = f"setsid sh -c '{EATS}; : > dead' > /dev/null & until [ -e dead ]; do sleep 0.01; done"
        self.assertEqual(await self.fails(orphan), [ExitStatus(0)])

    async def test_the_next_task_is_unharmed(self):
        """Though it has the same supervisor, whose group counts on."""
        platform = await self.new_platform()
        _, execution = await self.start(shell(EATS), platform)
        await (await execution.when_finished()).dispose()
        context, second = await self.start(shell("echo fine"), platform)
        result = await second.when_finished()
        self.assertNotIn("needed more", context.log.text)
        self.assertEqual((result.success, result.out_of_memory), (True, False))
        self.assertEqual(second.record.details["pid"], execution.record.details["pid"])

    async def test_a_neighbour_is_unharmed(self):
        """Even one that is killed by somebody else meanwhile."""
        platform = await self.new_platform()
        _, neighbour = await self.start(shell("until [ -e go ]; do sleep 0.01; done; kill -9 $$"), platform)
        await self.fails(EATS, platform=platform)
        touch(neighbour.record.details["folder"], "go")
        result = await neighbour.when_finished()
        self.assertEqual((result.success, result.out_of_memory), (False, False))

    async def test_what_a_task_left_in_memory_is_not_the_next_ones(self):
        """And what it left on disk can be read, though its memory is full."""
        platform = await self.new_platform()
        left = "/dev/shm/tcworker-test-left"
        self.addCleanup(lambda: exists(left) and os.unlink(left))
        _, execution = await self.start(shell(f"echo x > out; (head -c 100M /dev/zero > {left}); sleep 0"), platform)
        try:
            result = await execution.when_finished()
        except TaskFailed:
            self.assertFalse(may_protect(), "it was protected")
        else:
            self.assertTrue(result.out_of_memory)
            (await result.archive_file("out")).close()
            await result.dispose()
        _, succeeded = await self.run_and_dispose("tail -c 30M /dev/zero | wc -c", platform=platform)
        self.assertTrue(succeeded)
        self.assertNotIn(execution.record.details["pid"], supervisors_of(platform))

    async def test_a_supervisor_that_dies_of_it_is_the_tasks_fault(self):
        """As where nobody may protect it, and files are all that fills the memory."""
        _, execution = await self.start(shell(f"{EATS}; exec sleep 600"))
        pid = execution.record.details["pid"]
        await until(lambda: self.killed(execution))
        os.kill(pid, signal.SIGKILL)
        with self.assertRaises(TaskFailed) as raised:
            await execution.when_finished()
        self.assertIn("filled the memory", str(raised.exception))

    async def test_a_supervisor_that_dies_of_something_else_is_not(self):
        platform = await self.new_platform()
        _, before = await self.start(shell(EATS), platform)
        await (await before.when_finished()).dispose()
        _, execution = await self.start(shell("exec sleep 600"), platform)
        self.assertEqual(execution.record.details["pid"], before.record.details["pid"])
        os.kill(execution.record.details["pid"], signal.SIGKILL)
        with self.assertRaises(InternalError):
            await execution.when_finished()

    def killed(self, execution: IExecution) -> bool:
        """Whether the kernel killed somebody of it."""
        said = read_first(execution, "memory.oom_control", "memory.events")
        return said is not None and "oom_kill 1" in said

    async def test_a_supervisor_lives_however_little_memory_there_is(self):
        """And nobody else does, whom it starts."""
        context, execution = await self.start(shell("cat /proc/self/oom_score_adj; : > file; exec sleep 600"))
        recorder = Recorder()
        asked = await execution.new_exec(recorder, ["cat", "/proc/self/oom_score_adj"], {}, None)
        await asked.when_ended()
        await until(lambda: recorder.ends)
        await until(lambda: "500\n" in context.log.text)
        self.assertEqual(recorder.printed[1], b"500\n")
        pid = execution.record.details["pid"]
        self.assertEqual(score_of(pid), "-1000\n" if may_protect() else "0\n")
        execution.kill("enough", 0)
        result = await execution.when_finished()
        scores = [self.scores_of_children(pid) async for _ in result.archive_folder(".")]
        self.assertEqual(scores, [["500\n"]])

    def scores_of_children(self, supervisor: int) -> list[str]:
        return [score_of(pid) for pid in this_system().children(supervisor)]


class ProcessTests(LimitCase):
    """Who forks without end."""

    async def test_all_die_and_the_next_task_is_unharmed(self):
        platform = await self.new_platform()
        context, execution = await self.start(shell(f"{FORKS}; exit 0"), platform)
        folders = execution.record.details["groups"]
        result = await execution.when_finished()
        self.assertFalse(result.success)
        self.assertIn(TOO_MANY, context.log.text)
        living = {pid for folder in folders for pid in inhabitants(folder)}
        self.assertLessEqual(living, {execution.record.details["pid"]})
        context, succeeded = await self.run_and_dispose("sleep 0; echo fine", platform=platform)
        self.assertTrue(succeeded, context.log.text)
        self.assertNotIn("was refused", context.log.text)

    async def test_so_many_there_may_be(self):
        """The supervisor is not one of them."""
        script = "i=1; while [ $i -lt 50 ]; do sleep 600 & i=$((i+1)); done; echo all"
        context, succeeded = await self.run_and_dispose(script, platform=await self.new_platform())
        self.assertTrue(succeeded, context.log.text)

    async def test_no_room_for_a_shell_is_said_to_whoever_opens_it(self):
        _, execution = await self.start(shell("exec sleep 600"), limits_pids=1)
        with self.assertRaises(TaskFailed) as raised:
            await execution.new_exec(Recorder(), ["true"], {}, None)
        self.assertIn("no process could be made", str(raised.exception))

    async def test_what_it_left_can_be_read(self):
        _, result = await self.run_task(shell(f"echo x > out; {FORKS}"))
        (await result.archive_file("out")).close()


class ShareTests(LimitCase):
    """What the kernel was told."""

    async def test_processors(self):
        _, execution = await self.start(shell("exec sleep 600"))
        self.assertIn(read_first(execution, "cpu.cfs_quota_us", "cpu.max"), ("50000", "50000 100000"))

    async def test_a_limit_that_is_not_asked_for_is_none(self):
        _, execution = await self.start(shell("exec sleep 600"), limits_memory_mb=None, limits_cpus=None)
        self.assertEqual(read_first(execution, "pids.max"), "51")
        self.assertIn(read_first(execution, "cpu.cfs_quota_us", "cpu.max"), ("-1", "max 100000", None))


class NeighbourTests(LimitCase):
    """Two workers of one machine, with limits of their own."""

    async def test_each_keeps_its_own(self):
        large = await self.new_platform(limits_memory_mb=600)
        _, execution = await self.start(shell("until [ -e go ]; do sleep 0.01; done"), large)
        # It sweeps what dead workers left.
        small = await self.new_platform()
        _, succeeded = await self.run_and_dispose(EATS, platform=small)
        self.assertFalse(succeeded)
        _, succeeded = await self.run_and_dispose(EATS, platform=large)
        self.assertTrue(succeeded)
        touch(execution.record.details["folder"], "go")
        self.assertTrue((await execution.when_finished()).success)


class RefusalTests(NativeCase):
    """Limits that cannot be kept are an error of the configuration, before the first task."""

    async def refused(self, **limits: Any) -> str:
        platform = NativePlatform(reactor, new_config(new_tasks_dir(self), **limits))
        self.addCleanup(platform.dispose)
        with capturedLogs() as events:
            with self.assertRaises(ConfigError) as raised:
                await platform.prepare([])
            await platform._means.launcher._process._child.when_ended()
        self.assertEqual([event for event in events if event["log_level"] >= LogLevel.warn], [], "nobody died")
        return str(raised.exception)

    async def test_a_value_that_the_kernel_does_not_take(self):
        said = await self.refused(limits_pids=1 << 40)
        self.assertIn('limits: found {"pids": 1099511627776}, expected limits that this machine can keep', said)

    async def test_whoever_may_not_make_groups(self):
        if os.geteuid() == 0:
            raise SkipTest("root may")
        said = await self.refused(limits_memory_mb=64)
        self.assertIn('limits: found {"memoryMB": 64}, expected limits that this machine can keep', said)
        self.assertIn("only root can", said)


def may_protect() -> bool:
    """Whether we may say that a process shall never be killed: some containers take that from root."""
    script = "echo -1000 > /proc/self/oom_score_adj"
    return subprocess.run(["sh", "-c", script], stderr=subprocess.DEVNULL, check=False).returncode == 0


def read_first(execution: IExecution, *names: str) -> str | None:
    """What the first such file of a run's groups says."""
    for folder in execution.record.details["groups"]:
        for name in names:
            if exists(path := os.path.join(folder, name)):
                with open(path) as file:
                    return file.read().strip()
    return None
