"""What the tests of the native platform share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.config import Config
from tcworker.engine.native.platform import NativePlatform
from tcworker.errors import SandboxEnded
from tcworker.interfaces import Credentials, IExecution, IResult
from tcworker.launcher.system import this_system
from tcworker.testing.context import FakeTaskContext
from tests.surroundings import open_folder


def new_config(tasks_dir: str, **settings: Any) -> Config:
    """The settings that the platform reads, and something for the rest; no users of their own unless asked for."""
    settings.setdefault("task_users", False)
    # What lives of a worker that had the same one is ended before the first task.
    settings.setdefault("state_dir", os.path.join(os.path.dirname(tasks_dir), "state"))
    # A worker that died holds its own no more, but one that stands for it in a test does.
    settings.setdefault("caches_dir", os.path.join(os.path.dirname(tasks_dir), f"caches-{os.urandom(4).hex()}"))
    return Config(
        root_url="https://tc.example.com",
        credentials=Credentials("worker", "secret"),
        worker_type="test",
        worker_id="w1",
        tasks_dir=tasks_dir,
        **settings,
    )


def new_tasks_dir(test: SynchronousTestCase) -> str:
    """A folder for tasks that every user may pass through, yet to be made, and removed after the test."""
    return os.path.join(open_folder(test), "tasks")


def names_in(folder: str) -> Sequence[str]:
    """What is in a folder that may not be there."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def exists(path: str) -> bool:
    """Whether something is there."""
    return os.path.lexists(path)


def touch(folder: str, name: str) -> None:
    """Make an empty file."""
    with open(os.path.join(folder, name), "w"):
        pass


def launcher_of(platform: NativePlatform) -> int:
    """The launcher's process."""
    pid = platform._means.launcher.ensure()._child.pid
    assert pid is not None
    return pid


def score_of(pid: int) -> str:
    """How soon a process is killed when memory is out."""
    with open(f"/proc/{pid}/oom_score_adj") as score:
        return score.read()


def supervisors_of(platform: NativePlatform) -> set[int]:
    """Those that have a run, and those that wait."""
    return this_system().children(launcher_of(platform))


def open_in(pid: int) -> Sequence[str]:
    """What the descriptors of a process lead to, without the numbers of sockets and pipes."""
    folder = f"/proc/{pid}/fd"
    return sorted(os.readlink(f"{folder}/{name}").partition(":[")[0] for name in os.listdir(folder))


def slow_copies(folder: str) -> str:
    """A folder with a C{cp} that says that it has begun, and does not end; its path."""
    with open(f"{folder}/cp", "w") as program:
        program.write(f"#!/bin/sh\n: > {folder}/begun\nPATH=/bin:/usr/bin exec sleep 600\n")
    os.chmod(f"{folder}/cp", 0o755)
    os.chmod(folder, 0o777)
    return folder


class NativeCase(TestCase):
    """Tests that run tasks on a platform of their own."""

    timeout = 60

    async def new_platform(self, **settings: Any) -> NativePlatform:
        """A platform that is disposed after the test."""
        self.tasks_dir = new_tasks_dir(self)
        platform = NativePlatform(reactor, new_config(self.tasks_dir, **settings))
        self.addCleanup(platform.dispose)
        await platform.prepare([])
        return platform

    def new_context(self, payload: dict[str, Any]) -> FakeTaskContext:
        """A run whose log is in memory."""
        context = FakeTaskContext(reactor, payload)
        self.addCleanup(context.close)
        return context

    async def start(
        self, payload: dict[str, Any], platform: NativePlatform | None = None, **settings: Any
    ) -> tuple[FakeTaskContext, IExecution]:
        """Start a task that is gone after the test."""
        platform = platform or await self.new_platform(**settings)
        context = self.new_context(payload)
        execution = await platform.new_engine(context).start()
        self.addCleanup(free, execution)
        return context, execution

    async def run_task(
        self, payload: dict[str, Any], platform: NativePlatform | None = None, **settings: Any
    ) -> tuple[FakeTaskContext, IResult]:
        """Run a task to its end."""
        context, execution = await self.start(payload, platform, **settings)
        return context, await execution.when_finished()


async def free(execution: IExecution) -> None:
    """Do what a worker owes to a sandbox."""
    try:
        await execution.abort("the test is over")
    except SandboxEnded:
        await (await execution.when_finished()).dispose()
