"""Runs with users of their own: who they are, what they see, and what is left of them."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tcworker.engine.native import accounts, users
from tcworker.engine.native.accounts import CannotChangeUsers, add_user, remove_user, users_at_home_in
from tcworker.engine.native.platform import NativePlatform
from tcworker.engine.native.traces import has_ipc, processes_of
from tcworker.errors import ConfigError, InternalError, MalformedPayload, ResourceUnavailable
from tcworker.interfaces import IResult, Reach, SandboxRecord
from tcworker.testing.context import FakeTaskContext
from tests.engine.native.harness import NativeCase, exists, names_in, new_config, new_tasks_dir, shell, until
from tests.engine.native.test_traces import MAKE_IPC


def printed(context: FakeTaskContext) -> Sequence[str]:
    """What the task printed, without the worker's lines."""
    return [line for line in context.log.text.splitlines() if not line.startswith("[taskcluster")]


class OwnUsersCase(NativeCase):
    """As root, each task as a user of its own."""

    def setUp(self):
        if os.geteuid() != 0 or sys.platform != "linux":
            raise SkipTest("only root can make users")

    async def new_platform(self, **settings: Any) -> NativePlatform:
        return await super().new_platform(**{"task_users": True, **settings})

    def left(self) -> Sequence[object]:
        return [*names_in(self.tasks_dir), *users_at_home_in(self.tasks_dir)]

    async def run_whole(self, payload: dict[str, Any], **settings: Any) -> tuple[FakeTaskContext, IResult]:
        context, result = await self.run_task(payload, **settings)
        await result.dispose()
        return context, result


class IdentityTests(OwnUsersCase):
    """Who a task is."""

    async def test_a_user_with_a_home_and_a_group_of_its_own(self):
        context, _ = await self.run_whole(shell("id -un; id -Gn; echo $USER $LOGNAME; echo ~; stat -c %U:%G:%a ."))
        name, groups, variables, home, mine = printed(context)
        self.assertRegex(name, "^task_[0-9]+$")
        self.assertEqual((groups, variables), (name, f"{name} {name}"))
        self.assertEqual(mine, f"{name}:{name}:700")
        self.assertTrue(home.startswith(self.tasks_dir))
        self.assertEqual(self.left(), [])
        self.assertRaises(KeyError, pwd.getpwnam, name)
        self.assertRaises(KeyError, grp.getgrnam, name)

    async def test_numbers_of_the_range_in_turn(self):
        platform = await self.new_platform(task_uid_range=(45000, 46999))
        uids = []
        for _ in range(3):
            context, result = await self.run_task(shell("id -u"), platform)
            uids.append(int(printed(context)[0]))
            await result.dispose()
        self.assertEqual(len(set(uids)), 3)
        self.assertTrue(all(45000 <= uid <= 46999 for uid in uids), uids)

    async def test_its_group_has_its_number(self):
        context, _ = await self.run_whole(shell("id -u; id -g"), task_uid_range=(3_000_000, 3_001_999))
        uid, gid = printed(context)
        self.assertEqual(uid, gid)

    async def test_nothing_of_the_worker_leaks_in(self):
        os.environ["TCWORKER_TEST_SECRET"] = "secret"
        self.addCleanup(os.environ.pop, "TCWORKER_TEST_SECRET")
        self.addCleanup(os.umask, os.umask(0o077))
        self.addCleanup(os.setgroups, os.getgroups())
        os.setgroups([grp.getgrnam("adm").gr_gid])
        script = "env | grep -c SECRET; umask; id -Gn; ls /proc/self/fd | wc -l; cat /proc/self/oom_score_adj"
        context, _ = await self.run_whole(shell(script))
        secrets, umask, groups, descriptors, oom = printed(context)
        self.assertEqual((secrets, umask, oom), ("0", "0022", "500"))
        self.assertNotIn("adm", groups)
        # Those of ls itself: its own three, and the folder that it lists.
        self.assertEqual(descriptors, "4")

    async def test_groups_of_the_machine(self):
        platform = await self.new_platform()
        context = self.new_context(shell("id -Gn; getent group audio"))
        engine = platform.new_engine(context)
        engine.join_group("audio")
        engine.join_group("video")
        result = await (await engine.start()).when_finished()
        groups, entry = printed(context)
        self.assertEqual(set(groups.split()[1:]), {"audio", "video"})
        self.assertIn("task_", entry)
        await result.dispose()
        self.assertNotIn("task_", " ".join(grp.getgrnam("audio").gr_mem))

    async def test_a_group_that_does_not_exist(self):
        platform = await self.new_platform()
        engine = platform.new_engine(self.new_context(shell("true")))
        error = self.assertRaises(MalformedPayload, engine.join_group, "no-such-group")
        self.assertIn("no group 'no-such-group'", str(error))

    async def test_a_task_as_the_worker(self):
        """It can start others as the user that it would have been."""
        platform = await self.new_platform()
        script = 'id -u; stat -c %U:%a "$TASK_USER_CREDENTIALS"; cat "$TASK_USER_CREDENTIALS"; echo; stat -c %U .'
        context = self.new_context(shell(script))
        engine = platform.new_engine(context)
        self.assertEqual(engine.reach, Reach.NOTHING)
        engine.run_as_worker()
        self.assertEqual(engine.reach, Reach.WORKER)
        result = await (await engine.start()).when_finished()
        uid, file, text, owner = printed(context)
        self.assertEqual((uid, file), ("0", "root:600"))
        self.assertEqual(json.loads(text), {"username": owner, "password": "[masked]"})
        await result.dispose()
        self.assertEqual(self.left(), [])

    async def test_a_program_before_each_task(self):
        platform = await self.new_platform(run_after_user_creation="/usr/bin/whoami")
        context, result = await self.run_task(shell("id -un"), platform)
        first, second = printed(context)
        self.assertEqual(first, second)
        await result.dispose()

    async def test_a_program_before_each_task_that_fails(self):
        platform = await self.new_platform(run_after_user_creation="/bin/false")
        with self.assertRaises(InternalError) as caught:
            await self.start(shell("true"), platform)
        self.assertIn("/bin/false (runAfterUserCreation)", str(caught.exception))
        self.assertEqual(self.left(), [])


class PrivateTests(OwnUsersCase):
    """What a task has for itself."""

    async def test_shared_folders_are_its_own(self):
        mark = f"tcworker-test-{os.urandom(4).hex()}"
        script = f"for f in /tmp /var/tmp /dev/shm; do ls -A $f | grep -v X11-unix; echo > $f/{mark} || exit 1; done"
        context, result = await self.run_whole(shell(script, f"cat /tmp/{mark}"))
        self.assertTrue(result.success, context.log.text)
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            self.assertFalse(exists(os.path.join(folder, mark)), folder)
        self.assertEqual(self.left(), [])

    async def test_artifacts_from_there(self):
        _, result = await self.run_task(shell("echo there > /tmp/result; ln -s /tmp/result link"))
        for path in ("/tmp/result", "link"):
            file = await result.archive_file(path)
            self.assertEqual(file.size, 6)
            file.close()
        await result.dispose()

    async def test_shells_see_what_the_task_sees(self):
        context, execution = await self.start(shell("echo here > /tmp/seen; echo ready; exec sleep 100"))
        await until(lambda: "ready" in context.log.text)
        output: list[bytes] = []
        shell_ = await execution.new_exec(Collector(output), ["cat", "/tmp/seen"], {}, None)
        self.assertTrue((await shell_.when_ended()).success)
        await until(lambda: b"".join(output) == b"here\n")

    async def test_turned_off(self):
        path = f"/tmp/tcworker-test-{os.urandom(4).hex()}"
        context, execution = await self.start(shell(f"echo > {path}; echo ready; exec sleep 100"), private_tmp=False)
        await until(lambda: "ready" in context.log.text)
        self.assertTrue(exists(path))
        execution.kill("enough", 0)
        await (await execution.when_finished()).dispose()
        # It goes with its owner all the same.
        self.assertFalse(exists(path))

    async def test_devices_and_foreign_rights_do_not_work_there(self):
        script = "cp /usr/bin/id /tmp/id && chmod u+s /tmp/id && findmnt -no OPTIONS --target /tmp"
        context, _ = await self.run_whole(shell(script))
        self.assertIn("nosuid", context.log.text)


def start_as(uid: int) -> subprocess.Popen[bytes]:
    """Start something as a user, from here."""
    return subprocess.Popen(["sleep", "100"], user=uid, group=uid, extra_groups=[])


class Collector:
    """Takes what an exec prints."""

    def __init__(self, output: list[bytes]) -> None:
        self._output = output

    def makeConnection(self, transport: object) -> None:
        pass

    def childDataReceived(self, number: int, data: bytes) -> None:
        self._output.append(data)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class RemovalTests(OwnUsersCase):
    """Whatever a task did, nothing of it is left."""

    def uid_of(self, context: FakeTaskContext) -> int:
        return int(printed(context)[0])

    async def test_ipc_objects(self):
        context, result = await self.run_task(shell(f"id -u; perl -e '{MAKE_IPC}'"))
        uid = self.uid_of(context)
        self.assertTrue(has_ipc(uid), context.log.text)
        await result.dispose()
        self.assertFalse(has_ipc(uid))
        self.assertEqual(self.left(), [])

    async def test_folders_that_it_closed(self):
        script = "mkdir -p a/b/c; touch a/b/c/d; chmod 000 a/b/c a/b a; chmod 500 ."
        _, result = await self.run_whole(shell(script))
        self.assertTrue(result.success)
        self.assertEqual(self.left(), [])

    async def test_a_process_that_somebody_else_started_for_it(self):
        """As cron would: none of the task's descendants."""
        context, execution = await self.start(shell("id -u; exec sleep 100"))
        await until(lambda: printed(context))
        uid = self.uid_of(context)
        stranger = start_as(uid)
        execution.kill("enough", 0)
        result = await execution.when_finished()
        # Already now, for it could change what is being published.
        self.assertEqual(stranger.wait(), -9)
        await result.dispose()
        self.assertEqual(processes_of(uid), set())

    async def test_several_at_once(self):
        platform = await self.new_platform(capacity=4)
        payload = shell("id -u; touch /tmp/x; sleep 0.2")
        runs = await DeferredList(
            [Deferred.fromCoroutine(self.run_to_the_end(payload, platform)) for _ in range(6)], consumeErrors=True
        )
        uids = [uid for _, uid in runs]
        self.assertEqual(len(set(uids)), 6, runs)
        self.assertEqual(self.left(), [])

    async def run_to_the_end(self, payload: dict[str, Any], platform: NativePlatform) -> int:
        context, result = await self.run_task(payload, platform)
        await result.dispose()
        return self.uid_of(context)

    async def test_kept_for_people_to_look_at(self):
        context, result = await self.run_whole(shell("id -u; touch kept"), clean_up_task_dirs=False)
        uid = self.uid_of(context)
        (user,) = users_at_home_in(self.tasks_dir)
        self.addCleanup(remove_user, user[0], uid)
        self.assertEqual(os.listdir(user[2]), ["kept"])
        self.assertTrue(result.success)

    async def test_a_start_that_is_given_up(self):
        platform = await self.new_platform()
        engine = platform.new_engine(self.new_context(shell("true")))
        starting = engine.start()
        starting.cancel()
        with self.assertRaises(CancelledError):
            await starting
        self.assertEqual(self.left(), [])

    async def test_a_group_that_was_left_is_in_nobody_s_way(self):
        self.leave_group("task_3003000", 3004999)
        context, _ = await self.run_whole(shell("id -un"), task_uid_range=(3_003_000, 3_004_999))
        self.assertNotEqual(printed(context), ["task_3003000"])

    def leave_group(self, name, gid):
        subprocess.run(["groupadd", "--gid", str(gid), name], check=True)
        self.addCleanup(subprocess.run, ["groupdel", name], check=True)

    async def test_no_user_can_be_made(self):
        platform = await self.new_platform()

        def refuse(*arguments: object) -> str:
            raise CannotChangeUsers("useradd: cannot open /etc/passwd")

        self.patch(users, "add_user", refuse)
        with self.assertRaises(ResourceUnavailable) as caught:
            await self.start(shell("true"), platform)
        self.assertIn("no user for the task could be made: useradd: cannot open /etc/passwd", str(caught.exception))
        self.assertEqual(self.left(), [])

    async def test_a_user_that_does_not_go_stays_for_the_next_start(self):
        """Its folder is gone; the account waits for the process that does not die."""
        platform = await self.new_platform()
        context = self.new_context(shell("id -u"))
        result = await (await platform.new_engine(context).start()).when_finished()
        uid = self.uid_of(context)
        self.patch(accounts, "kill_processes", lambda uid: {4711})
        with self.assertRaises(CannotChangeUsers) as caught:
            await result.dispose()
        self.assertIn("4711", str(caught.exception))
        self.assertEqual(pwd.getpwuid(uid).pw_name, f"task_{uid}")
        self.assertEqual(names_in(self.tasks_dir), [])
        self.patch(accounts, "kill_processes", lambda uid: set())
        await platform.prepare([])
        self.assertRaises(KeyError, pwd.getpwuid, uid)


class LeftTests(OwnUsersCase):
    """What a dead worker left."""

    async def leave(self, platform: NativePlatform) -> tuple[int, SandboxRecord]:
        """A user with a folder whose worker is gone."""
        home = os.path.join(self.tasks_dir, "task_left_0")
        os.mkdir(home)
        uid = platform._means.own_users._uids.take(accounts.is_unused)
        name = add_user(uid, home, [])
        private = os.path.join(self.tasks_dir, "task_left_0.private")
        os.mkdir(private)
        details = {"pid": 1 << 30, "startTime": "1", "groups": [], "folder": home, "private": private}
        return uid, SandboxRecord("native", {**details, "user": {"name": name, "uid": uid}})

    async def test_by_its_record(self):
        platform = await self.new_platform()
        uid, record = await self.leave(platform)
        await platform.prepare([record])
        self.assertRaises(KeyError, pwd.getpwuid, uid)
        self.assertEqual(self.left(), [])

    async def test_without_a_record(self):
        """It died before it could write one."""
        platform = await self.new_platform()
        uid, _ = await self.leave(platform)
        await platform.prepare([])
        self.assertRaises(KeyError, pwd.getpwuid, uid)

    async def test_users_that_live_stay(self):
        platform = await self.new_platform()
        context, _ = await self.start(shell("id -u; exec sleep 100"), platform)
        await until(lambda: printed(context))
        await platform.prepare([])
        self.assertEqual(len(users_at_home_in(self.tasks_dir)), 1)

    async def test_users_of_other_folders_stay(self):
        platform = await self.new_platform()
        uid = platform._means.own_users._uids.take(accounts.is_unused)
        name = add_user(uid, "/nonexistent/task_x_0", [])
        self.addCleanup(remove_user, name, uid)
        await platform.prepare([])
        self.assertEqual(pwd.getpwuid(uid).pw_name, name)


class SettingsTests(SynchronousTestCase):
    """What is refused before anything runs."""

    def refused(self, **settings: Any) -> str:
        config = new_config("/tasks", **settings)
        return str(self.assertRaises(ConfigError, NativePlatform, reactor, config))

    def test_only_root_can(self):
        self.patch(os, "geteuid", lambda: 4711)
        self.assertIn("taskUsers: found true, expected false, since only root can", self.refused(task_users=True))

    def test_not_beside_one_user_for_all(self):
        self.assertIn("nobody (taskUser)", self.refused(task_users=True, task_user="nobody"))

    def test_a_range_in_which_no_number_can_rest(self):
        self.patch(os, "geteuid", lambda: 0)
        self.assertIn("1002 numbers or more", self.refused(task_users=True, task_uid_range=(2000, 2999)))

    def test_a_machine_without_the_programs(self):
        self.patch(users, "missing_programs", lambda: ["useradd"])
        error = self.assertRaises(ConfigError, users.check_programs)
        self.assertIn("useradd (Debian: package passwd)", str(error))


class DefaultTests(TestCase):
    """Who tasks are when nobody says so."""

    timeout = 60

    def reach(self, **settings: Any) -> Reach:
        platform = NativePlatform(reactor, new_config(new_tasks_dir(self.addCleanup), **settings))
        self.addCleanup(platform.dispose)
        reach: Reach = platform.new_engine(FakeTaskContext(reactor, shell("true"))).reach
        return reach

    def test_own_users_for_root(self):
        if os.geteuid() == 0:
            self.assertEqual(self.reach(task_users=None), Reach.NOTHING)
            self.assertEqual(self.reach(task_users=None, task_user="nobody"), Reach.EACH_OTHER)
        else:
            self.assertEqual(self.reach(task_users=None), Reach.WORKER)
