"""The platform before and after its tasks."""

from __future__ import annotations

import errno
import os
import subprocess
import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.engine.native import folder as folders
from tcworker.engine.native import hold
from tcworker.engine.native import platform as platforms
from tcworker.engine.native.folder import UNDELETABLE
from tcworker.engine.native.platform import NativePlatform
from tcworker.engine.native.task_user import TaskUser, find_user
from tcworker.errors import ConfigError, MalformedPayload, ResourceUnavailable
from tcworker.interfaces import SandboxRecord
from tcworker.launcher import linux
from tcworker.removal import remove
from tcworker.task.payload import PayloadSchema
from tcworker.testing.engines.traces import threads
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, names_in, new_config, new_tasks_dir, touch
from tests.surroundings import until


class PayloadTests(SynchronousTestCase):
    """Which payloads are its own."""

    def accepts(self, payload) -> bool:
        return NativePlatform.accepts(None, payload)

    def test_commands_without_an_image(self):
        self.assertTrue(self.accepts({"command": [["true"]]}))
        self.assertFalse(self.accepts({"command": [["true"]], "image": "debian"}))
        self.assertFalse(self.accepts({}))

    def test_schema(self):
        schema = PayloadSchema({"native": NativePlatform.schema})
        schema.check({"command": [["a", "b"], ["c"]]})
        for command in ([], [[]], ["a"], "a", [[1]]):
            with self.assertRaises(MalformedPayload, msg=command):
                schema.check({"command": command})


class AccountTests(SynchronousTestCase):
    """Whom tasks run as."""

    def test_the_own_user(self):
        own = find_user(None)
        self.assertIsNone(own.switch)
        self.assertEqual(find_user(own.name), TaskUser(own.name))

    def test_an_account_that_does_not_exist(self):
        error = self.assertRaises(ConfigError, find_user, "no-such-account")
        self.assertIn("taskUser: found no-such-account", str(error))

    def test_another_account(self):
        other = "nobody" if os.geteuid() == 0 else "root"
        if os.geteuid() == 0:
            self.assertNotEqual(find_user(other).owner, (0, 0))
            self.patch(os, "geteuid", lambda: 4711)
        error = self.assertRaises(ConfigError, find_user, other)
        self.assertIn("only root", str(error))


class PrepareTests(NativeCase):
    """Before the first task: the folder, and what a dead worker left."""

    async def test_a_folder_that_the_user_cannot_reach(self):
        if os.geteuid() != 0:
            return
        tasks_dir = new_tasks_dir(self)
        os.chmod(os.path.dirname(tasks_dir), 0o700)
        platform = NativePlatform(reactor, new_config(tasks_dir, task_user="nobody"))
        self.addCleanup(platform.dispose)
        with self.assertRaises(ConfigError) as caught:
            await platform.prepare([])
        self.assertIn(f"chmod o+x {os.path.dirname(tasks_dir)}", str(caught.exception))

    def sleeper(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    async def test_a_stranger_with_the_same_number_lives(self):
        """Numbers of processes are used again."""
        stranger = self.sleeper()
        platform = await self.new_platform()
        folder = os.path.join(self.tasks_dir, "task_left_0")
        os.mkdir(folder)
        touch(folder, "file")
        details = {"pid": stranger.pid, "startTime": "1", "groups": [], "folder": folder}
        await platform.prepare([SandboxRecord("native", details)])
        self.assertIsNone(stranger.poll())
        self.assertFalse(exists(folder))

    async def test_a_process_that_is_the_one_dies(self):
        one = self.sleeper()
        platform = await self.new_platform()
        start_time = linux.start_time(one.pid)
        details = {"pid": one.pid, "startTime": start_time, "groups": [], "folder": "/no/such/folder"}
        await platform.prepare([SandboxRecord("native", details)])
        self.assertEqual(one.wait(), -9)

    def catch_log(self) -> list[str]:
        """The lines of the platform's log; none reaches trial."""
        lines: list[str] = []
        self.patch(platforms, "_log", Logger(observer=lambda event: lines.append(formatEvent(event))))
        return lines

    def left(self, name: str) -> SandboxRecord:
        """A run of a dead worker, with something in its folder."""
        folder = os.path.join(self.tasks_dir, name)
        os.mkdir(folder)
        touch(folder, "file")
        return SandboxRecord("native", {"pid": 1 << 30, "startTime": "1", "groups": [], "folder": folder})

    async def test_what_a_worker_left_that_died_meanwhile_goes_when_it_is_swept(self):
        platform = await self.new_platform()
        left, held = (folders.make_folder(self.tasks_dir, name, 0) for name in ("left", "held"))
        hold.let_go(left)
        self.addCleanup(folders.remove_folder, held)
        await platform.sweep()
        self.assertEqual(names_in(self.tasks_dir), [os.path.basename(held)])

    async def test_where_folders_are_kept_for_people_nothing_is_swept(self):
        platform = await self.new_platform(clean_up_task_dirs=False)
        left = folders.make_folder(self.tasks_dir, "left", 0)
        hold.let_go(left)
        await platform.sweep()
        self.assertTrue(exists(left))

    async def test_what_cannot_be_removed_does_not_keep_the_worker_from_its_work(self):
        lines = self.catch_log()
        platform = await self.new_platform()
        first, second = self.left("task_first_0"), self.left("task_second_0")

        def refuse(path: str) -> None:
            if "first" in path:
                raise OSError(errno.EBUSY, "Device or resource busy", f"{path}/mounted")
            remove(path)

        self.patch(folders, "remove", refuse)
        await platform.prepare([first, second])
        self.assertEqual(names_in(self.tasks_dir), [UNDELETABLE])
        (moved,) = names_in(os.path.join(self.tasks_dir, UNDELETABLE))
        said = "\n".join(lines)
        for part in (first.details["folder"], "mounted", moved, "goes on", "remove it"):
            self.assertIn(part, said)
        _, result = await self.run_task(shell("exit 0"), platform)
        self.assertTrue(result.success)

    async def test_a_folder_that_nobody_had_the_time_to_mark(self):
        """It is gone when tasks can be claimed, and only who finds one waits."""
        waited: list[float] = []
        self.patch(platforms, "pause", lambda clock, seconds: succeed(waited.append(seconds)))
        platform = await self.new_platform()
        self.assertEqual(waited, [])
        os.mkdir(os.path.join(self.tasks_dir, "task_left_0"), 0o700)
        await platform.prepare([])
        self.assertEqual((names_in(self.tasks_dir), waited), ([], [hold.MARKED_WITHIN]))

    async def test_a_folder_that_somebody_marks_meanwhile(self):
        platform = await self.new_platform()
        folder = os.path.join(self.tasks_dir, "task_new_0")
        os.mkdir(folder, 0o700)
        self.addCleanup(hold.let_go, folder)
        self.patch(platforms, "pause", lambda clock, seconds: succeed(hold.hold(folder)))
        await platform.prepare([])
        self.assertTrue(exists(folder))

    async def test_a_record_that_nobody_understands(self):
        lines = self.catch_log()
        platform = await self.new_platform()
        record = self.left("task_left_0")
        await platform.prepare([SandboxRecord("native", {}), record])
        self.assertIn("failed", lines[0])
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_what_could_not_be_removed_is_tried_again(self):
        platform = await self.new_platform()
        aside = os.path.join(self.tasks_dir, UNDELETABLE)
        os.makedirs(os.path.join(aside, "task_left_0.1", "deep"))
        await platform.prepare([])
        await until(lambda: not exists(aside))

    async def test_what_still_cannot_be_removed_is_said(self):
        lines = self.catch_log()
        platform = await self.new_platform()
        left = os.path.join(self.tasks_dir, UNDELETABLE, "task_left_0.1")
        os.makedirs(left)

        def refuse(path: str) -> None:
            raise OSError(errno.EBUSY, "Device or resource busy", path)

        self.patch(folders, "remove", refuse)
        await platform.prepare([])
        await until(lambda: lines)
        self.assertIn(left, lines[0])
        self.assertTrue(exists(left))


def environ_of(pid: int) -> bytes:
    with open(f"/proc/{pid}/environ", "rb") as environ:
        return environ.read()


class StartTests(NativeCase):
    """Starts that fail."""

    async def test_without_a_launcher(self):
        platform = await self.new_platform()

        def supervise(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(platform._means.launcher, "supervise", supervise)
        context = self.new_context(shell("exit 0"))
        with self.assertRaises(ResourceUnavailable) as caught:
            await platform.new_engine(context).start()
        self.assertIn("Too many open files", str(caught.exception))
        self.assertEqual(names_in(self.tasks_dir), [])
        context.log.lend(print).give_back()

    async def test_without_a_log(self):
        platform = await self.new_platform()
        context = self.new_context(shell("exit 0"))
        self.addCleanup(context.log.lend(print).give_back)
        with self.assertRaises(AssertionError):
            await platform.new_engine(context).start()
        self.assertEqual(names_in(self.tasks_dir), [])


class DisposeTests(TestCase):
    """An idle platform."""

    timeout = 30

    async def test_the_launcher_has_no_secrets_and_ends(self):
        os.environ["TCWORKER_TEST_SECRET"] = "secret"
        self.addCleanup(os.environ.pop, "TCWORKER_TEST_SECRET")
        tasks_dir = new_tasks_dir(self)
        platform = NativePlatform(reactor, new_config(tasks_dir))
        before = linux.children(os.getpid())
        await platform.prepare([])
        (launcher,) = linux.children(os.getpid()) - before
        self.assertNotIn(b"SECRET", environ_of(launcher))
        await platform.dispose()
        self.assertLessEqual(linux.children(os.getpid()), before)
        self.assertEqual(names_in(tasks_dir), [])

    async def test_sweeping_that_takes_long_holds_up_nothing(self):
        """Neither the boot nor, but for what is under way, the end."""
        tasks_dir = new_tasks_dir(self)
        for name in ("task_a_0.1", "task_b_0.2"):
            os.makedirs(os.path.join(tasks_dir, UNDELETABLE, name))
        go_on, begun = threading.Event(), []

        def slow(path: str) -> None:
            begun.append(path)
            go_on.wait(20)

        self.patch(folders, "remove", slow)
        platform = NativePlatform(reactor, new_config(tasks_dir))
        await platform.prepare([])
        await until(lambda: begun)
        disposed = platform.dispose()
        go_on.set()
        await disposed
        self.assertEqual(len(begun), 1)

    async def test_threads_end_though_the_launcher_does_not(self):
        platform = NativePlatform(reactor, new_config(new_tasks_dir(self)))
        await platform.prepare([])
        stop = platform._means.launcher.stop
        self.patch(platform._means.launcher, "stop", lambda: fail(RuntimeError("it does not end")))
        with self.assertRaises(RuntimeError):
            await platform.dispose()
        self.assertEqual([name for name in threads() if "native" in name], [])
        await stop()

    async def test_threads_end_though_nobody_waits_any_more(self):
        platform = NativePlatform(reactor, new_config(new_tasks_dir(self)))
        await platform.prepare([])
        stop = platform._means.launcher.stop
        self.patch(platform._means.launcher, "stop", Deferred)
        disposed = platform.dispose()
        disposed.cancel()
        with self.assertRaises(CancelledError):
            await disposed
        self.assertEqual([name for name in threads() if "native" in name], [])
        await stop()
