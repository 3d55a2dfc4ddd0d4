"""Programs that change the users of the machine, and outlive a worker that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tcworker.engine.native import helpers
from tcworker.engine.native.helpers import LOCK, Helpers
from tcworker.engine.native.left_launchers import kill_one
from tcworker.engine.native.platform import NativePlatform
from tcworker.engine.native.useradd import remove_user, users_at_home_in
from tests.engine.native.harness import exists, names_in, new_config, new_tasks_dir, touch
from tests.engine.native.test_crashes import ROOT
from tests.surroundings import only_root, open_folder, until

MAKES = """
import sys
from tcworker.engine.native import helpers, useradd
from tcworker.engine.native.folder import make_folder
helpers._FOLDERS, state_dir, tasks_dir, uid = sys.argv[1:]
useradd.add_user(helpers.Helpers(state_dir), int(uid), make_folder(tasks_dir, "left", 0), [])
"""

UID = 3_980_000 + os.getpid() % 10_000


def number_in(path: Path) -> int:
    return int(path.read_text())


class LeftCase(TestCase):
    """A worker in a process of its own that makes a user; C{useradd} does what the test says."""

    timeout = 60

    def setUp(self) -> None:
        self.tasks_dir = new_tasks_dir(self)
        os.mkdir(self.tasks_dir)
        self.config = new_config(self.tasks_dir, task_users=True)
        self.helpers = Helpers(self.config.state_dir)
        self.programs = open_folder(self)
        self.began, self.ended = (Path(self.programs, name) for name in ("began", "ended"))

    async def leave(self, work: str) -> None:
        """Kill a worker while C{useradd} works."""
        worker = self.start_worker(work)
        self.addCleanup(self.end_helper)
        await until(self.began.exists)
        worker.kill()
        worker.wait()

    def start_worker(self, work: str) -> subprocess.Popen[bytes]:
        program = Path(self.programs, "useradd")
        program.write_text(f"#!/bin/sh\necho $$ > {self.began}.new; mv {self.began}.new {self.began}; {work}\n")
        program.chmod(0o755)
        words = [f"{self.programs}:/usr/sbin:/usr/bin:/bin", self.config.state_dir, self.tasks_dir, str(UID)]
        return subprocess.Popen([sys.executable, "-c", MAKES, *words], cwd=ROOT)

    def end_helper(self) -> None:
        if self.began.exists() and self.runs():
            kill_one(self.pid)

    @property
    def pid(self) -> int:
        return number_in(self.began)

    def runs(self) -> bool:
        return exists(f"/proc/{self.pid}/fd") and str(self.programs) in Path(f"/proc/{self.pid}/cmdline").read_text()


class LeftTests(LeftCase):
    """The next worker's start."""

    async def test_waits_for_one_that_works(self) -> None:
        go = os.path.join(self.programs, "go")
        await self.leave(f"while [ ! -e {go} ]; do sleep 0.05; done; sleep 0.2; touch {self.ended}")
        waiting = deferToThread(self.helpers.end_left)
        touch(self.programs, "go")
        await waiting
        self.assertTrue(self.ended.exists())

    async def test_kills_one_that_hangs(self) -> None:
        self.patch(helpers, "_PATIENCE", 0.2)
        await self.leave("while :; do :; done")
        await deferToThread(self.helpers.end_left)
        self.assertFalse(self.runs())

    async def test_says_what_else_holds_it_up_and_kills_no_stranger(self) -> None:
        self.patch(helpers, "_PATIENCE", 0.1)
        self.patch(helpers, "_DEATH", 0.2)
        sleeper = Path(self.programs, "sleeper")
        await self.leave(f"sleep 100 & echo $! > {sleeper}.new; mv {sleeper}.new {sleeper}")
        await until(sleeper.exists)
        pid = number_in(sleeper)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        with self.assertRaises(OSError) as caught:
            await deferToThread(self.helpers.end_left)
        self.assertIn(f"{LOCK} open do not end: [{pid}]", str(caught.exception))

    async def test_has_none_of_another_worker_in_its_way(self) -> None:
        await self.leave("while :; do :; done")
        await deferToThread(Helpers(f"{self.config.state_dir}-2").end_left)
        self.assertTrue(self.runs())

    def test_has_nothing_to_wait_for(self) -> None:
        for _ in range(2):
            self.helpers.end_left()


class UserTests(LeftCase):
    """A user that appears when its worker is dead."""

    def setUp(self) -> None:
        only_root()
        super().setUp()
        self.addCleanup(self.remove_users)

    def remove_users(self) -> None:
        for name, uid, _ in users_at_home_in(self.tasks_dir):
            remove_user(self.helpers, name, uid)

    async def test_is_gone_when_the_next_worker_is_ready(self) -> None:
        await self.leave('sleep 2; exec /usr/sbin/useradd "$@"')
        self.assertEqual(len(names_in(self.tasks_dir)), 1)
        platform = NativePlatform(reactor, self.config)
        self.addCleanup(platform.dispose)
        await platform.prepare([])
        self.assertFalse(self.runs())
        self.assertEqual((users_at_home_in(self.tasks_dir), names_in(self.tasks_dir)), ([], []))
