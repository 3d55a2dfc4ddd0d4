"""One supervisor has many runs, and none of them sees anything of another."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutput
from twisted.trial.unittest import TestCase

import tests
from tcworker.engine.native import launcher as launcher_module
from tcworker.engine.native import supervisor as supervisor_module
from tcworker.engine.native.platform import NativePlatform
from tcworker.errors import InternalError, ResourceUnavailable, SandboxAborted
from tcworker.interfaces import Size
from tcworker.launcher import linux
from tcworker.launcher.server import MOST_WAITING
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.engines.shells import Recorder
from tests.definitions import shell
from tests.engine.native.harness import (
    NativeCase,
    exists,
    launcher_of,
    names_in,
    new_config,
    new_tasks_dir,
    open_in,
    score_of,
    supervisors_of,
)
from tests.surroundings import until

SURROUNDINGS = (
    "umask; env | sort; pwd; ls -l /proc/self/fd | grep -c pipe; ls /proc/self/fd | wc -l; "
    "grep -E '^(Sig[^Q]|Shd)' /proc/self/status; cat /proc/self/oom_score_adj; tail -n 1 /proc/self/cgroup; ulimit -a"
)
DISORDER = (
    "umask 0; trap '' HUP TERM INT; export A=1; ulimit -n 100; cd /; exec 9> /dev/null; echo disorder; "
    "( setsid sh -c 'trap \"\" TERM; sleep 600' & )"
)


class ReuseTests(NativeCase):
    """One run after the other."""

    async def run_and_dispose(self, payload, platform) -> tuple[int, FakeTaskContext]:
        """The pid of its supervisor and its context."""
        context, execution = await self.start(payload, platform)
        result = await execution.when_finished()
        await result.dispose()
        return execution.record.details["pid"], context

    def printed(self, context: FakeTaskContext) -> list[str]:
        return [line for line in context.log.text.splitlines() if "taskcluster" not in line and " Time: " not in line]

    async def test_a_run_sees_nothing_of_those_before(self):
        platform = await self.new_platform()
        first, fresh = await self.run_and_dispose(shell(SURROUNDINGS), platform)
        disorderly, context = await self.run_and_dispose(shell(DISORDER, "exit 3"), platform)
        self.assertIn("disorder\n", context.log.text)
        last, used = await self.run_and_dispose(shell(SURROUNDINGS), platform)
        self.assertEqual(len({first, disorderly, last}), 1)
        self.assertEqual(self.printed(fresh), self.printed(used))

    async def test_variables_of_a_run_are_its_own(self):
        platform = await self.new_platform()
        engine = platform.new_engine(self.new_context(shell("exit 0")))
        engine.set_env("SECRET_OF_ANOTHER", "x")
        await (await (await engine.start()).when_finished()).dispose()
        _, context = await self.run_and_dispose(shell("env"), platform)
        self.assertNotIn("SECRET_OF_ANOTHER", context.log.text)

    async def test_a_supervisor_keeps_nothing_open(self):
        platform = await self.new_platform()
        pid, _ = await self.run_and_dispose(shell("exit 0"), platform)
        before = open_in(pid)
        for _ in range(3):
            _, execution = await self.start(shell(DISORDER + "; sleep 600"), platform)
            process = await execution.new_exec(Recorder(), ["sleep", "600"], {}, Size(80, 24))
            await execution.abort("enough")
            await process.when_ended()
            _, result = await self.run_task(shell("touch file"), platform)
            (await result.archive_file("file")).close()
            await result.dispose()
        await until(lambda: open_in(pid) == before)
        self.assertIn(pid, supervisors_of(platform))

    async def test_those_who_died_waiting_are_replaced(self):
        platform = await self.new_platform()
        await self.run_and_dispose(shell("exit 0"), platform)
        for pid in supervisors_of(platform):
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: linux.start_time(pid) is None)
        _, context = await self.run_and_dispose(shell("echo works"), platform)
        self.assertIn("works\n", context.log.text)

    async def test_few_wait_however_many_were_needed(self):
        platform = await self.new_platform()
        runs = [await self.start(shell("while [ ! -e /proc/1/x ]; do sleep 1; done"), platform) for _ in range(12)]
        self.assertGreaterEqual(len(supervisors_of(platform)), 12)
        for _, execution in runs:
            await execution.abort("enough")
        await until(lambda: len(supervisors_of(platform)) <= MOST_WAITING)
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_signals_for_everybody_are_not_for_them(self):
        """A terminal or a service manager sends them to all; the worker decides what they mean."""
        platform = await self.new_platform()
        pid, _ = await self.run_and_dispose(shell("exit 0"), platform)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for process in (launcher_of(platform), pid):
                os.kill(process, number)
        again, context = await self.run_and_dispose(shell("kill $$; echo alive"), platform)
        self.assertEqual(pid, again)
        self.assertIn("killed by SIGTERM", context.log.text)

    async def test_memory(self):
        """When it is out, tasks go before those who watch them."""
        platform = await self.new_platform()
        pid, context = await self.run_and_dispose(shell("cat /proc/self/oom_score_adj"), platform)
        self.assertIn("\n500\n", context.log.text)
        self.assertEqual(score_of(pid), score_of(os.getpid()))


class GroupTests(NativeCase):
    """Control groups, where there are any."""

    async def start_in_group(self, payload):
        platform = await self.new_platform()
        _, execution = await self.start(payload, platform)
        groups = execution.record.details["groups"]
        if not groups:
            await execution.abort("no groups")
        return platform, execution, groups

    async def test_a_dead_supervisor_leaves_none(self):
        _, execution, groups = await self.start_in_group(shell("sleep 600"))
        if groups:
            os.kill(execution.record.details["pid"], signal.SIGKILL)
            with self.assertRaises(InternalError):
                await execution.when_finished()
            self.assertEqual([group for group in groups if exists(group)], [])

    async def test_a_platform_leaves_none(self):
        platform, execution, groups = await self.start_in_group(shell("sleep 600"))
        if groups:
            group = groups[0]
            prefix = os.path.basename(group).rpartition("_")[0]
            await execution.abort("enough")
            await platform._means.launcher.stop()
            self.assertEqual([name for name in names_in(os.path.dirname(group)) if name.startswith(prefix)], [])

    def tearDown(self):
        self.flushLoggedErrors(InternalError)


class DeafTests(NativeCase):
    """Supervisors that do not listen: they are stopped, or wait for a disk."""

    async def deafen(self, payload):
        self.patch(supervisor_module, "_PATIENCE", 0.2)
        context, execution = await self.start(payload)
        await until(lambda: "up\n" in context.log.text)
        os.kill(execution.record.details["pid"], signal.SIGSTOP)
        return execution

    async def test_aborted(self):
        execution = await self.deafen(shell("echo up; sleep 600"))
        await execution.abort("claim lost")
        with self.assertRaises(SandboxAborted):
            await execution.when_finished()
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_killed(self):
        execution = await self.deafen(shell("echo up; sleep 600"))
        execution.kill("too long", 0.1)
        with self.assertRaises(InternalError):
            await execution.when_finished()
        self.assertEqual(names_in(self.tasks_dir), [])
        self.flushLoggedErrors()

    async def test_disposed(self):
        self.patch(supervisor_module, "_PATIENCE", 0.2)
        _, execution = await self.start(shell("exit 0"))
        result = await execution.when_finished()
        os.kill(execution.record.details["pid"], signal.SIGSTOP)
        await result.dispose()
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_one_that_listens_is_left_in_peace(self):
        """However long the result is used after a kill."""
        self.patch(supervisor_module, "_PATIENCE", 0.0)
        context, execution = await self.start(
            shell("trap 'touch file; exit 0' TERM; echo up; while :; do sleep 0.01; done")
        )
        await until(lambda: "up\n" in context.log.text)
        execution.kill("too long", 5)
        result = await execution.when_finished()
        self.assertEqual([name for name in timers() if "_too_late" in name], [])
        (await result.archive_file("file")).close()


def timers() -> Sequence[str]:
    """The functions that wait for their time."""
    return [getattr(call.func, "__qualname__", str(call.func)) for call in reactor.getDelayedCalls()]


STOPPING = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver
from tcworker.engine.native.platform import NativePlatform
from tests.engine.native.harness import new_config
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
platform = NativePlatform(reactor, new_config({folder!r}))
reactor.addSystemEventTrigger("after", "shutdown", print, "it has stopped")
reactor.addSystemEventTrigger("during", "shutdown", platform._means.threads._pool.stop)
Deferred.fromCoroutine(platform._prepare([])).addCallback(lambda _: reactor.stop())
reactor.run()
"""


class LauncherTests(TestCase):
    """The launcher's start and end."""

    timeout = 30

    def new_platform(self) -> NativePlatform:
        return NativePlatform(reactor, new_config(new_tasks_dir(self)))

    def make_script(self, text: str) -> str:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(text)
        return path

    async def assert_cannot_start(self, saying: str) -> None:
        platform = self.new_platform()
        self.addCleanup(platform.dispose)
        with self.assertRaises(InternalError) as caught:
            await platform.prepare([])
        self.assertIn("could not start", str(caught.exception))
        self.assertIn(saying, str(caught.exception) + "".join(self._said))

    def setUp(self):
        self._said: list[str] = []
        self.patch(launcher_module, "_log", self)

    def error(self, text: str, **values: str) -> None:
        """What is logged, by the name that a logger has for it."""
        self._said.append(text.format(**values))

    async def test_a_program_that_is_not_there(self):
        self.patch(sys, "executable", "/no/such/python")
        await self.assert_cannot_start("/no/such/python")

    async def test_a_program_that_ends_at_once(self):
        self.patch(launcher_module.main, "__file__", self.make_script("raise SystemExit('no modules here')"))
        await self.assert_cannot_start("no modules here")

    async def test_a_launcher_that_dies_is_worth_an_error(self):
        platform = self.new_platform()
        self.addCleanup(platform.dispose)
        await platform.prepare([])
        os.kill(launcher_of(platform), signal.SIGKILL)
        await until(lambda: self._said)
        self.assertIn("the launcher of native tasks is gone", self._said[0])

    async def test_a_stop_is_not(self):
        platform = self.new_platform()
        await platform.prepare([])
        await platform.dispose()
        self.assertEqual(self._said, [])

    async def test_a_run_that_comes_while_it_stops(self):
        """It does not start another one, which nobody would end."""
        platform = self.new_platform()
        before = linux.children(os.getpid())
        await platform.prepare([])
        disposing = platform.dispose()
        context = FakeTaskContext(reactor, shell("exit 0"))
        self.addCleanup(context.close)
        with self.assertRaises(ResourceUnavailable) as caught:
            await platform.new_engine(context).start()
        self.assertIn("the worker is stopping", str(caught.exception))
        await disposing
        self.assertLessEqual(linux.children(os.getpid()), before)

    async def test_a_reactor_that_stops_is_not(self):
        """It closes everything, should there be no time to wait for the platform."""
        script = STOPPING.format(folder=new_tasks_dir(self))
        root = os.path.dirname(os.path.dirname(tests.__file__))
        printed = (await getProcessOutput(sys.executable, ["-c", script], path=root, errortoo=True)).decode()
        self.assertIn("it has stopped", printed)
        self.assertNotIn("is gone", printed)
