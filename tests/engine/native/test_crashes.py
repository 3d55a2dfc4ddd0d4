"""Whatever dies, no process of a task outlives it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.trial.unittest import SkipTest

import tests
from tcworker.engine.native.platform import NativePlatform
from tcworker.errors import ConfigError, InternalError, SandboxAborted
from tcworker.interfaces import IExecution, SandboxRecord
from tcworker.launcher import linux
from tcworker.launcher.cgroups import inhabitants
from tcworker.testing.engines.traces import processes_with
from tcworker.waiting import OneShot
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, names_in, new_config, new_tasks_dir, touch
from tests.launcher.headless import headless
from tests.surroundings import until

ROOT = os.path.dirname(os.path.dirname(tests.__file__))


def daemon(marker: str) -> str:
    """A script whose daemon left its session, ends for no signal that can be ignored, and has a marker."""
    return f"( setsid sh -c 'trap \"\" TERM PIPE; echo up; while :; do sleep 1; done' {marker} & ); exec sleep 3600"


class Worker(ProcessProtocol):
    """A worker in a process of its own."""

    def __init__(self) -> None:
        self.printed = b""
        self.ended: OneShot[None] = OneShot()

    def outReceived(self, data: bytes) -> None:
        self.printed += data

    def errReceived(self, data: bytes) -> None:
        self.printed += data

    def processEnded(self, reason: object) -> None:
        self.ended.succeed(None)

    def kill(self) -> None:
        """Only if it still runs."""
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            return


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def parent_of(pid: int) -> int:
    return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])


def leave_group(group: str, processes: Sequence[str]) -> None:
    """As a task of root can: put processes into the control group above theirs."""
    for process in processes:
        with open(os.path.join(os.path.dirname(group), "cgroup.procs"), "w") as procs:
            procs.write(process.split()[0])


class CrashTests(NativeCase):
    """Of the worker, its launcher, a supervisor."""

    settings: ClassVar[dict[str, Any]] = {}

    async def new_platform(self, **settings: Any) -> NativePlatform:
        return await super().new_platform(**{**self.settings, **settings})

    def setUp(self):
        self.marker = f"marker-{uuid4().hex}"

    def start_worker(self, payload) -> Worker:
        worker = Worker()
        self.tasks_dir = new_tasks_dir(self)
        argv = [sys.executable, "-m", "tests.engine.native.worker", self.tasks_dir]
        argv += [json.dumps(payload), json.dumps(self.settings)]
        reactor.spawnProcess(worker, argv[0], argv, env=os.environ, path=ROOT)
        self.addCleanup(worker.kill)
        return worker

    async def start_with_daemon(self):
        context, execution = await self.start(shell(daemon(self.marker)))
        await until(lambda: "up\n" in context.log.text)
        self.assertNotEqual(processes_with(self.marker), [])
        return context, execution

    async def test_killed_worker_takes_its_tasks_along(self):
        worker = self.start_worker(shell(daemon(self.marker)))
        await until(lambda: processes_with(self.marker) and b"}" in worker.printed)
        record = json.loads(worker.printed)
        worker.kill()
        await worker.ended.wait()
        await until(lambda: not processes_with(self.marker))
        await until(lambda: linux.start_time(record["pid"]) is None)
        self.assertEqual([group for group in record["groups"] if exists(group)], [])
        platform = await self.new_platform()
        await platform.prepare([SandboxRecord("native", record)])
        self.assertFalse(exists(record["folder"]))

    async def test_killed_all_at_once(self):
        """What lives then is found by its control group."""
        worker = self.start_worker(shell(daemon(self.marker)))
        await until(lambda: processes_with(self.marker) and b"}" in worker.printed)
        record = json.loads(worker.printed)
        launcher = parent_of(record["pid"])
        os.kill(launcher, signal.SIGSTOP)
        os.kill(record["pid"], signal.SIGKILL)
        os.kill(launcher, signal.SIGKILL)
        worker.kill()
        await worker.ended.wait()
        if not record["groups"]:
            for process in processes_with(self.marker):
                os.kill(int(process.split()[0]), signal.SIGKILL)
        await until(lambda: bool(processes_with(self.marker)) == bool(record["groups"]))
        platform = await self.new_platform()
        await platform.prepare([SandboxRecord("native", record)])
        await until(lambda: not processes_with(self.marker))
        self.assertEqual([group for group in record["groups"] if exists(group)], [])
        self.assertFalse(exists(record["folder"]))

    async def test_killed_launcher_takes_its_tasks_along(self):
        platform = await self.new_platform()
        _, execution = await self.start(shell(daemon(self.marker)), platform)
        await until(lambda: processes_with(self.marker))
        os.kill(parent_of(execution.record.details["pid"]), signal.SIGKILL)
        with self.assertRaises(InternalError):
            await execution.when_finished()
        self.assertEqual(processes_with(self.marker), [])
        self.assertEqual(names_in(self.tasks_dir), [])
        self.flushLoggedErrors()
        _, result = await self.run_task(shell("exit 0"), platform)
        self.assertTrue(result.success, "the next task has a new launcher")

    async def test_killed_supervisor_takes_its_task_along(self):
        _, execution = await self.start_with_daemon()
        os.kill(execution.record.details["pid"], signal.SIGKILL)
        with self.assertRaises(InternalError):
            await execution.when_finished()
        self.assertEqual(processes_with(self.marker), [])
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_killed_supervisor_without_a_control_group(self):
        """The launcher finds what it left by its parents."""
        _, execution = await self.start_with_daemon()
        for group in execution.record.details["groups"]:
            leave_group(group, processes_with(self.marker))
        os.kill(execution.record.details["pid"], signal.SIGKILL)
        with self.assertRaises(InternalError):
            await execution.when_finished()
        self.assertEqual(processes_with(self.marker), [])

    async def start_headless(self) -> tuple[IExecution, int]:
        """A task that leaves a process behind whose first thread has ended, and the number of that."""
        command = f"( setsid {shlex.join(headless())} & echo $! > pid; until grep -q Z /proc/$!/stat; do :; done )"
        context, execution = await self.start(shell(f"{command}; echo up; while [ ! -e end ]; do sleep 0.01; done"))
        await until(lambda: "up\n" in context.log.text)
        return execution, int(read(os.path.join(execution.record.details["folder"], "pid")))

    async def test_a_process_that_looks_dead_dies_with_its_task(self):
        execution, pid = await self.start_headless()
        self.assertIsNotNone(linux.start_time(pid))
        touch(execution.record.details["folder"], "end")
        result = await execution.when_finished()
        self.assertTrue(result.success)
        self.assertIsNone(linux.start_time(pid))

    async def test_a_process_that_looks_dead_dies_with_its_supervisor(self):
        execution, pid = await self.start_headless()
        os.kill(execution.record.details["pid"], signal.SIGKILL)
        with self.assertRaises(InternalError):
            await execution.when_finished()
        self.assertIsNone(linux.start_time(pid))

    async def test_killed_supervisor_leaves_its_neighbours(self):
        platform = await self.new_platform()
        neighbour, survivor = await self.start(shell("while [ ! -e go ]; do sleep 0.01; done; echo went on"), platform)
        _, execution = await self.start(shell("exec sleep 3600"), platform)
        os.kill(execution.record.details["pid"], signal.SIGKILL)
        with self.assertRaises(InternalError):
            await execution.when_finished()
        touch(survivor.record.details["folder"], "go")
        await survivor.when_finished()
        self.assertIn("went on", neighbour.log.text)

    async def test_killed_supervisor_of_a_task_that_is_over(self):
        """Its result can still be disposed."""
        _, result = await self.run_task(shell("exit 0"))
        sandbox = result._sandbox
        await sandbox.supervisor.close()
        await result.dispose()
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_abort_while_the_supervisor_is_stopped(self):
        """It hears of it when it goes on."""
        _, execution = await self.start_with_daemon()
        pid = execution.record.details["pid"]
        os.kill(pid, signal.SIGSTOP)
        aborting: Deferred[None] = execution.abort("claim lost")
        os.kill(pid, signal.SIGCONT)
        await aborting
        with self.assertRaises(SandboxAborted):
            await execution.when_finished()
        self.assertEqual(processes_with(self.marker), [])

    async def test_a_stopped_supervisor_does_not_keep_the_platform(self):
        """A task with the worker's own rights can do that."""
        tasks_dir = new_tasks_dir(self)
        platform = NativePlatform(reactor, new_config(tasks_dir))
        await platform.prepare([])
        _, execution = await self.start(shell("kill -STOP $PPID; exec sleep 3600"), platform)
        finished = execution.when_finished().addErrback(lambda failure: failure.value)
        await platform.dispose()
        self.assertIsInstance(await finished, InternalError)
        self.assertEqual(processes_with(self.marker), [])


class CrashWithLimitsTests(CrashTests):
    """A run then has several control groups."""

    settings: ClassVar[dict[str, Any]] = {"limits_memory_mb": 256, "limits_pids": 100, "limits_cpus": 2}

    async def setUp(self):
        super().setUp()
        platform = NativePlatform(reactor, new_config(new_tasks_dir(self), **self.settings))
        self.addCleanup(platform.dispose)
        try:
            await platform.prepare([])
        except ConfigError as error:
            raise SkipTest(str(error)) from error

    async def test_killed_all_at_once_and_nobody_remembers(self):
        """Its groups are known by their names."""
        worker = self.start_worker(shell(daemon(self.marker)))
        await until(lambda: processes_with(self.marker) and b"}" in worker.printed)
        record = json.loads(worker.printed)
        launcher = parent_of(record["pid"])
        waiting = linux.children(launcher)
        os.kill(launcher, signal.SIGSTOP)
        for pid in (*waiting, launcher):
            os.kill(pid, signal.SIGKILL)
        worker.kill()
        await worker.ended.wait()
        for pid in inhabitants(record["groups"][0]):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not any(inhabitants(group) for group in record["groups"]))
        await self.new_platform()
        self.assertEqual([group for group in record["groups"] if exists(group)], [])
