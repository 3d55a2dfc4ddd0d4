"""Launchers, supervisors and tasks of a dead worker, of whom no record tells."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from twisted.internet import reactor

from tcworker.engine.native import left_launchers
from tcworker.engine.native.launcher import owner_of
from tcworker.engine.native.left_launchers import end_left_launchers
from tcworker.engine.native.platform import NativePlatform
from tcworker.launcher import linux
from tcworker.testing.engines.traces import processes_with
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, launcher_of, new_config, new_tasks_dir, supervisors_of
from tests.engine.native.test_crashes import ROOT, Worker, daemon, parent_of
from tests.surroundings import until


class LeftCase(NativeCase):
    """A worker in a process of its own, whose task has left its session and ends for no signal that can be ignored.

    @cvar program: of the worker.
    @ivar record: that of its sandbox, which nobody keeps.
    """

    program = "tests.engine.native.worker"

    async def setUp(self) -> None:
        self.tasks_dir = new_tasks_dir(self)
        self.config = new_config(self.tasks_dir)
        os.mkdir(self.config.state_dir)
        self.marker = f"marker-{uuid4().hex}"
        self.worker = Worker()
        argv = [sys.executable, "-m", self.program, self.tasks_dir]
        argv.append(json.dumps(shell(self.script())))
        reactor.spawnProcess(self.worker, argv[0], argv, env=os.environ, path=ROOT)
        self.addCleanup(self.kill_worker)
        await until(lambda: processes_with(self.marker) and b"}" in self.worker.printed)
        self.record = json.loads(self.worker.printed)
        self.launcher = parent_of(self.record["pid"])
        # What a test stops must not outlive it.
        self.addCleanup(self.end, [*linux.children(self.launcher), self.launcher])

    def script(self) -> str:
        """What the task does."""
        return daemon(self.marker)

    def end(self, pids: Sequence[int]) -> None:
        for pid in pids:
            left_launchers.kill_one(pid)

    async def kill_worker(self) -> None:
        self.worker.kill()
        await self.worker.ended.wait()

    async def kill_all(self) -> None:
        """End worker, launcher and supervisors, none of which comes to end anything else."""
        supervisors = linux.children(self.launcher)
        os.kill(self.launcher, signal.SIGSTOP)
        self.end([*supervisors, self.launcher])
        await self.kill_worker()

    async def start_next(self) -> NativePlatform:
        """A worker with the same state directory, that is ready to claim."""
        # Two that live share no folder of caches.
        caches_dir = f"{self.config.caches_dir}-{os.urandom(4).hex()}"
        platform = NativePlatform(reactor, replace(self.config, caches_dir=caches_dir))
        self.addCleanup(platform.dispose)
        await platform.prepare([])
        return platform

    def assertGone(self) -> None:
        self.assertEqual(left_launchers.left_launchers(owner_of(self.config.state_dir)), set())
        self.assertEqual(processes_with(self.marker), [])
        self.assertEqual([group for group in self.record["groups"] if exists(group)], [])
        self.assertFalse(exists(self.record["folder"]))


class LeftTests(LeftCase):
    """Nothing of them is left when the next worker is ready."""

    async def test_of_a_worker_alone(self) -> None:
        await self.kill_worker()
        await self.start_next()
        self.assertGone()
        self.assertIsNone(linux.start_time(self.launcher))

    async def test_of_a_worker_and_its_launcher(self) -> None:
        os.kill(self.launcher, signal.SIGKILL)
        await self.kill_worker()
        await self.start_next()
        self.assertGone()

    async def test_some_that_do_not_notice(self) -> None:
        """They are killed, their tasks before them."""
        self.patch(left_launchers, "_OWN_TIME", 0.2)
        for pid in (self.launcher, *linux.children(self.launcher)):
            os.kill(pid, signal.SIGSTOP)
        await self.kill_worker()
        await self.start_next()
        self.assertGone()

    async def test_all_killed_at_once(self) -> None:
        """Then the control groups say whose the task is, or else its folder."""
        await self.kill_all()
        await self.start_next()
        await until(lambda: not processes_with(self.marker))
        self.assertGone()


class LivingTests(LeftCase):
    """Who lives stays."""

    async def test_a_worker_with_another_state_directory(self) -> None:
        await self.new_platform()
        self.assertNotEqual(processes_with(self.marker), [])
        self.assertTrue(exists(self.record["folder"]))

    async def test_another_platform_of_the_same_process(self) -> None:
        await self.kill_worker()
        first = await self.start_next()
        running = {launcher_of(first), *supervisors_of(first)}
        await self.start_next()
        self.assertEqual({launcher_of(first), *supervisors_of(first)}, running)

    async def test_another_folder_at_the_same_path(self) -> None:
        """As a container sees it."""
        os.rename(self.config.state_dir, f"{self.config.state_dir}.old")
        os.mkdir(self.config.state_dir)
        await self.start_next()
        self.assertNotEqual(processes_with(self.marker), [])

    async def test_one_that_only_looks_like_it(self) -> None:
        owner = owner_of(self.config.state_dir)
        program = [sys.executable, "-c", "import time; time.sleep(100)", owner]
        stranger = Worker()
        reactor.spawnProcess(stranger, program[0], program, env={})
        self.addCleanup(stranger.ended.wait)
        self.addCleanup(stranger.kill)
        await self.kill_worker()
        end_left_launchers(owner)
        self.assertFalse(stranger.ended.fired)
