"""Processes of tasks that nothing but their folder shows to be such."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet import reactor
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.engine.native import left_tasks
from tcworker.engine.native.folder import make_folder
from tcworker.engine.native.hold import let_go
from tcworker.engine.native.left_tasks import kill_left_tasks
from tcworker.engine.native.platform import NativePlatform
from tcworker.interfaces import SandboxRecord
from tcworker.launcher import linux
from tcworker.testing.engines.traces import processes_with
from tests import ordinary
from tests.engine.native.harness import exists, new_config
from tests.engine.native.test_crashes import daemon
from tests.engine.native.test_left_launchers import LeftCase
from tests.surroundings import open_folder


class OfADeadWorker(LeftCase):
    """Worker, launcher and supervisors are killed at once, where there are no control groups."""

    program = "tests.engine.native.groupless"

    async def setUp(self) -> None:
        if os.geteuid() == 0 and not ordinary.possible():
            raise SkipTest("nobody may have a mount namespace here")
        await super().setUp()
        if self.record["groups"]:
            raise SkipTest("an ordinary user has control groups here")
        await self.kill_all()
        self.assertNotEqual(processes_with(self.marker), [])
        self.addCleanup(lambda: self.end([int(each.split()[0]) for each in processes_with(self.marker)]))

    def script(self) -> str:
        # One of them has nothing of what a task starts with; and there are always new ones.
        bare = f"env -i /bin/sh -c 'cd /; trap \"\" TERM; : {self.marker}; while :; do /bin/sleep 1; done'"
        busy = f"while :; do sh -c ': {self.marker}; sleep 0.01'; done"
        return f'( setsid sh -c "{bare.replace(chr(34), chr(92) + chr(34))} & {busy}" & ); {daemon(self.marker)}'

    async def test_they_are_gone_when_the_next_one_is_ready(self) -> None:
        await self.start_next()
        self.assertGone()

    async def test_where_folders_are_kept_a_record_names_it(self) -> None:
        platform = NativePlatform(reactor, new_config(self.tasks_dir, clean_up_task_dirs=False))
        self.addCleanup(platform.dispose)
        await platform.prepare([SandboxRecord("native", self.record)])
        self.assertEqual(processes_with(self.marker), [])
        self.assertTrue(exists(self.record["folder"]))


class OfALivingWorker(LeftCase):
    program = "tests.engine.native.groupless"

    async def test_they_live_on(self) -> None:
        other = NativePlatform(reactor, new_config(self.tasks_dir, state_dir=open_folder(self)))
        self.addCleanup(other.dispose)
        await other.prepare([])
        self.assertNotEqual(processes_with(self.marker), [])


class Others(SynchronousTestCase):
    """Processes of which nobody can say so much."""

    def setUp(self) -> None:
        if sys.platform != "linux":
            raise SkipTest("only Linux shows processes")
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)
        self.folder = self.new_folder()
        let_go(self.folder)

    def note(self, event: LogEvent) -> None:
        if event["log_level"] == LogLevel.warn and event["log_namespace"] == left_tasks.__name__:
            self.warnings.append(event["log_format"].format(**event))

    def new_folder(self) -> str:
        """One that this process holds."""
        folder = make_folder(open_folder(self), "task", 0)
        self.addCleanup(let_go, folder)
        return folder

    @contextmanager
    def somebody(self, cwd: str = "/", **environment: str) -> Iterator[int]:
        """A process that does not come from this one."""
        start = "setsid sleep 100 < /dev/null > /dev/null 2> /dev/null & echo $!"
        env = {"PATH": os.environ["PATH"], **environment}
        pid = int(subprocess.run(["sh", "-c", start], cwd=cwd, env=env, stdout=subprocess.PIPE, check=True).stdout)
        try:
            yield pid
        finally:
            if linux.start_time(pid) is not None:
                os.kill(pid, 9)

    def test_a_task_s(self) -> None:
        with self.somebody(TASK_WORKDIR=self.folder) as pid:
            kill_left_tasks([self.folder])
            self.assertIsNone(linux.start_time(pid))
        self.assertEqual(self.warnings, [])

    def test_one_that_looks_at_what_is_left(self) -> None:
        inner = os.path.join(self.folder, "inner")
        os.mkdir(inner)
        with self.somebody(cwd=inner) as pid:
            kill_left_tasks([self.folder])
            self.assertIsNotNone(linux.start_time(pid))
        (warning,) = self.warnings
        self.assertIn(f"{pid} (sleep)", warning)

    def test_one_of_a_folder_that_is_held(self) -> None:
        held = self.new_folder()
        with self.somebody(cwd=held, TASK_WORKDIR=held) as pid:
            kill_left_tasks([held])
            self.assertIsNotNone(linux.start_time(pid))
        self.assertEqual(self.warnings, [])

    def test_one_that_has_another_folder_at_that_path(self) -> None:
        with self.somebody(TASK_WORKDIR=self.folder) as pid:
            os.rename(self.folder, f"{self.folder}-away")
            kill_left_tasks([f"{self.folder}-away"])
            self.assertIsNotNone(linux.start_time(pid))

    def test_one_that_this_process_has_started(self) -> None:
        started = subprocess.Popen(["sleep", "100"], env={**os.environ, "TASK_WORKDIR": self.folder})
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        kill_left_tasks([self.folder])
        self.assertIsNone(started.poll())

    def test_those_that_nobody_can_look_at(self) -> None:
        """Who reads a process's variables may wait for ever."""
        self.patch(left_tasks, "_LOOK", "import time; time.sleep(100)")
        self.patch(left_tasks, "_LOOK_PATIENCE", 0.3)
        with self.somebody(cwd=self.folder, TASK_WORKDIR=self.folder) as pid:
            kill_left_tasks([self.folder])
            self.assertIsNotNone(linux.start_time(pid))
        self.assertIn(str(pid), self.warnings[0])

    def test_those_after_one_that_nobody_can_look_at(self) -> None:
        with self.somebody(TASK_WORKDIR=self.folder) as first, self.somebody(TASK_WORKDIR=self.folder) as second:
            stuck = f"def is_task(pid, user):\n    if pid == {first}: import time; time.sleep(100)"
            self.patch(left_tasks, "_LOOK", left_tasks._LOOK.replace("def is_task(pid, user):", stuck))
            kill_left_tasks([self.folder])
            self.assertIsNotNone(linux.start_time(first))
            self.assertIsNone(linux.start_time(second))

    def test_one_that_has_its_number_since(self) -> None:
        with self.somebody() as pid:
            left_tasks._kill(left_tasks._Suspect(pid, os.geteuid(), "1"))
            self.assertIsNotNone(linux.start_time(pid))

    def test_a_boot_without_leftovers_looks_at_nobody(self) -> None:
        self.patch(left_tasks, "_suspects", lambda places: self.fail("it looked"))
        kill_left_tasks([])
