"""Processes that do not die of SIGKILL, as those do not that wait for a disk: frozen ones are such."""

from __future__ import annotations

import os
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tcworker.engine.native import supervisor as supervisor_module
from tcworker.errors import InternalError, SandboxAborted
from tcworker.interfaces import IExecution
from tcworker.launcher import linux
from tcworker.launcher.cgroups import members, put, remove, write
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, launcher_of, supervisors_of, touch
from tests.surroundings import until

WAIT = "until [ -e go ]; do sleep 0.01; done"


class UndyingTests(NativeCase):
    """One of them ends its run with an error, and harms no other."""

    async def setUp(self):
        # The process that it freezes must die at the end.
        self.addCleanup(until, lambda: not os.path.isdir(self.group) or remove(self.group))
        self.group = f"/sys/fs/cgroup/freezer/test_tcworker_{uuid4().hex}"
        try:
            os.mkdir(self.group)
        except OSError as error:
            raise SkipTest("nobody can be frozen here, in a way that SIGKILL does not end") from error
        self.platform = await self.new_platform()
        self.addCleanup(self.thaw)

    def thaw(self) -> None:
        write(os.path.join(self.group, "freezer.state"), "THAWED")

    async def start_with_undying(self, script: str) -> IExecution:
        """A task with a daemon that does not die, and a script that waits for C{go}."""
        freezing = f"( echo 0 > {self.group}/cgroup.procs; exec setsid sleep 3600 ) &"
        context, execution = await self.start(
            shell(f"{freezing} until grep -q ^sleep /proc/$!/cmdline; do :; done; echo up; {script}"), self.platform
        )
        await until(lambda: "up\n" in context.log.text)
        self.freeze()
        return execution

    def freeze(self) -> None:
        write(os.path.join(self.group, "freezer.state"), "FROZEN")

    async def assert_is_free(self, execution: IExecution) -> None:
        """No control group of its run is there any more."""
        groups = execution.record.details["groups"]
        await until(lambda: not any(map(os.path.isdir, groups)))

    async def assert_harmless(self) -> None:
        _, result = await self.run_task(shell("exit 0"), self.platform)
        self.assertTrue(result.success)
        self.assertNotEqual(members(self.group), [])

    async def finish(self, execution: IExecution) -> str:
        with self.assertRaises(InternalError) as caught:
            await execution.when_finished()
        return str(caught.exception)

    async def test_left_by_a_task_that_ends(self):
        """Also while its run is waited for, others go on."""
        self.patch(supervisor_module, "_TIME_TO_FINISH", 0.3)
        execution = await self.start_with_undying(WAIT)
        touch(execution.record.details["folder"], "go")
        finishing = self.finish(execution)
        await deferLater(reactor, 0.5, lambda: None)
        await self.assert_harmless()
        (pid,) = members(self.group)
        self.assertIn(f"do not die although they were killed ({pid})", await finishing)
        await self.assert_harmless()
        self.assertNotIn(execution.record.details["pid"], supervisors_of(self.platform))

    async def test_left_by_a_task_that_is_killed(self):
        self.patch(supervisor_module, "_PATIENCE", 0.3)
        execution = await self.start_with_undying("exec sleep 3600")
        execution.kill("too long", 0)
        self.assertIn("do not die although they were killed", await self.finish(execution))
        await self.assert_harmless()

    async def test_left_by_a_task_that_is_aborted(self):
        self.patch(supervisor_module, "_PATIENCE", 0.3)
        execution = await self.start_with_undying("exec sleep 3600")
        await execution.abort("claim lost")
        with self.assertRaises(SandboxAborted):
            await execution.when_finished()
        await self.assert_harmless()

    async def test_a_kill_after_the_last_command_hurries(self):
        """Who was asked to end before had been given more time."""
        self.patch(supervisor_module, "_PATIENCE", 0.3)
        execution = await self.start_with_undying("exec sleep 3600")
        execution.kill("too long", 3600)
        await until(lambda: execution._commands_over)
        execution.kill("at once", 0)
        self.assertIn("do not die", await self.finish(execution))

    async def test_dies_late(self):
        """The launcher buries it then, and its control groups go."""
        self.patch(supervisor_module, "_PATIENCE", 0.3)
        execution = await self.start_with_undying("exec sleep 3600")
        execution.kill("too long", 0)
        await self.finish(execution)
        (pid,) = members(self.group)
        self.thaw()
        await until(lambda: linux.start_time(pid) is None)
        await self.assert_is_free(execution)
        self.assertNotIn(pid, linux.children(launcher_of(self.platform)))

    async def test_a_supervisor(self):
        """Those whom it watched die nevertheless."""
        self.patch(supervisor_module, "_PATIENCE", 0.3)
        context, execution = await self.start(shell("echo $$; exec sleep 3600"), self.platform)
        await until(lambda: context.log.text.splitlines()[1:])
        supervisor, command = execution.record.details["pid"], int(context.log.text.splitlines()[1])
        put(supervisor, self.group)
        self.freeze()
        await execution.abort("claim lost")
        await self.assert_harmless()
        self.assertIsNone(linux.start_time(command))
        self.thaw()
        await until(lambda: linux.start_time(supervisor) is None)
        await self.assert_is_free(execution)

    async def test_does_not_keep_the_platform(self):
        """It stops when its farewell is over."""
        execution = await self.start_with_undying("exec sleep 3600")
        finishing = self.finish(execution)
        await self.platform._means.launcher.stop()
        await finishing

    def tearDown(self):
        self.flushLoggedErrors(InternalError)
