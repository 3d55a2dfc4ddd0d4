"""Runs with users of their own: who they are, what they see, and what is left of them."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.config import Source, parse
from tcworker.engine.native import engine as engines
from tcworker.engine.native import hold, user_settings, useradd, users
from tcworker.engine.native.folder import make_beside, make_folder, remove_folder
from tcworker.engine.native.helpers import Helpers
from tcworker.engine.native.ipc import has_ipc
from tcworker.engine.native.kill import processes_of
from tcworker.engine.native.platform import NativePlatform
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.engine.native.useradd import (
    CannotChangeUsers,
    NumberTaken,
    add_user,
    is_unused,
    remove_user,
    users_at_home_in,
)
from tcworker.errors import ConfigError, InternalError, MalformedPayload, ResourceUnavailable
from tcworker.interfaces import IResult, Reach, SandboxRecord
from tcworker.testing.context import FakeTaskContext
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, exists, names_in, new_config, new_tasks_dir, touch
from tests.engine.native.nobodys import MAKE_IPC
from tests.surroundings import only_root, until
from tests.test_config import LEAST


def printed(context: FakeTaskContext) -> Sequence[str]:
    """What the task printed, without the worker's lines."""
    return [line for line in context.log.text.splitlines() if not line.startswith("[taskcluster")]


def text_of(path: str) -> str:
    """What is in a file."""
    return Path(path).read_text()


def is_known(uid: int) -> bool:
    """Whether a user has a number."""
    return any(entry.pw_uid == uid for entry in pwd.getpwall())


class OwnUsersCase(NativeCase):
    """As root, each task as a user of its own."""

    def setUp(self):
        only_root()

    async def new_platform(self, **settings: Any) -> NativePlatform:
        return await super().new_platform(**{"task_users": True, **settings})

    @property
    def helpers(self) -> Helpers:
        return Helpers(new_config(self.tasks_dir).state_dir)

    def left(self) -> Sequence[object]:
        return [*names_in(self.tasks_dir), *users_at_home_in(self.tasks_dir)]

    async def run_whole(self, payload: dict[str, Any], **settings: Any) -> tuple[FakeTaskContext, IResult]:
        context, result = await self.run_task(payload, **settings)
        await result.dispose()
        return context, result

    def leave_group(self, name: str, gid: int, *, stays: bool = True) -> None:
        """Make a group that is there until the test is over, or that may have gone by then."""
        subprocess.run(["groupadd", "--gid", str(gid), name], check=True)
        self.addCleanup(subprocess.run, ["groupdel", name], check=stays, capture_output=True)


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
        own, *others = groups.split()
        self.assertEqual(set(others), {"audio", "video"})
        self.assertIn(own, entry)
        await result.dispose()
        self.assertNotIn(own, grp.getgrnam("audio").gr_mem)

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
        self.assertEqual(json.loads(text), {"name": owner, "password": "[masked]"})
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
        self.assertEqual(str(caught.exception), "/bin/false (runAfterUserCreation) failed: exit code 1")
        self.assertEqual(self.left(), [])

    async def test_a_program_before_each_task_that_does_not_end(self):
        self.patch(engines, "_FIRST_SECONDS", 0.2)
        platform = await self.new_platform(run_after_user_creation="/usr/bin/yes")
        with self.assertRaises(InternalError) as caught:
            await self.start(shell("true"), platform)
        self.assertIn("/usr/bin/yes (runAfterUserCreation) took over", str(caught.exception))
        self.assertEqual(self.left(), [])

    async def test_no_program_before_a_task_without_a_user_of_its_own(self):
        """What the operator meant for tasks' users shall not have the worker's rights."""
        program = {"run_after_user_creation": "/usr/bin/whoami"}
        context, result = await self.run_task(shell("true"), task_users=False, **program)
        self.assertEqual(printed(context), [])
        await result.dispose()
        platform = await self.new_platform(**program)
        context = self.new_context(shell("true"))
        engine = platform.new_engine(context)
        engine.run_as_worker()
        await (await (await engine.start()).when_finished()).dispose()
        self.assertEqual(printed(context), [])


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

    async def test_the_display_of_the_machine_can_be_spoken_to(self):
        place = "/tmp/.X11-unix"
        if not exists(place):
            os.mkdir(place, 0o1777)
            self.addCleanup(os.rmdir, place)
        name = f"tcworker-test-{os.urandom(4).hex()}"
        touch(place, name)
        self.addCleanup(os.unlink, os.path.join(place, name))
        context, _ = await self.run_whole(shell(f"ls {place}"))
        self.assertIn(name, printed(context))

    async def test_where_the_kernel_allows_none_the_log_says_so(self):
        platform = await self.new_platform()
        context = self.new_context(shell("true"))
        engine = platform.new_engine(context)
        started = SupervisorLink.when_started

        async def not_allowed(link: SupervisorLink) -> dict[str, object]:
            return {**await started(link), "private": False}

        self.patch(SupervisorLink, "when_started", lambda link: Deferred.fromCoroutine(not_allowed(link)))
        await (await (await engine.start()).when_finished()).dispose()
        self.assertIn("[taskcluster:warn", context.log.text)
        self.assertIn("no task have a /tmp of its own", context.log.text)

    async def test_no_file_in_its_folder_makes_it_another(self):
        """One could have been put there by a user who is gone, and whose number somebody has again."""
        context, _ = await self.run_whole(shell("findmnt -no OPTIONS --target ."))
        self.assertIn("nosuid", printed(context)[0])
        self.assertIn("nodev", printed(context)[0])

    async def test_a_task_as_the_worker_may_make_such(self):
        platform = await self.new_platform()
        context = self.new_context(shell("findmnt -no OPTIONS --target ."))
        engine = platform.new_engine(context)
        engine.run_as_worker()
        await (await (await engine.start()).when_finished()).dispose()
        self.assertNotIn("nosuid", printed(context)[0])

    async def test_artifacts_from_there(self):
        _, result = await self.run_task(shell("echo there > /tmp/result; ln -s /tmp/result link"))
        for path in ("/tmp/result", "link"):
            file = await result.archive_file(path)
            self.assertEqual(file.size, 6)
            file.close()
        await result.dispose()

    async def test_shells_see_what_the_task_sees(self):
        context, execution = await self.start(shell("echo here > /tmp/seen; echo ready; exec sleep 100"))
        await until(lambda: "ready" in printed(context))
        output: list[bytes] = []
        shell_ = await execution.new_exec(Collector(output), ["cat", "/tmp/seen"], {}, None)
        self.assertTrue((await shell_.when_ended()).success)
        await until(lambda: b"".join(output) == b"here\n")

    async def test_turned_off(self):
        path = f"/tmp/tcworker-test-{os.urandom(4).hex()}"
        context, execution = await self.start(shell(f"echo > {path}; echo ready; exec sleep 100"), private_tmp=False)
        await until(lambda: "ready" in printed(context))
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
        self.addCleanup(remove_user, self.helpers, user[0], uid)
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
        self.patch(useradd, "kill_processes", lambda uid: {4711})
        with self.assertRaises(CannotChangeUsers) as caught:
            await result.dispose()
        self.assertIn("4711", str(caught.exception))
        self.assertEqual(pwd.getpwuid(uid).pw_name, f"task_{uid}")
        self.assertEqual(names_in(self.tasks_dir), [])
        self.patch(useradd, "kill_processes", lambda uid: set())
        await platform.prepare([])
        await until(lambda: not is_known(uid))


class LeftTests(OwnUsersCase):
    """What a dead worker left."""

    async def leave(self, platform: NativePlatform) -> tuple[int, SandboxRecord]:
        """A user with a folder whose worker is gone."""
        home = make_folder(self.tasks_dir, "left", 0)
        self.addCleanup(hold.let_go, home)
        uid = platform._means.own_users._uids.take(is_unused)
        name = add_user(self.helpers, uid, home, [])
        private = make_beside(home, [])
        hold.let_go(private)
        details = {"pid": 1 << 30, "startTime": "1", "groups": [], "folder": home, "private": private}
        return uid, SandboxRecord("native", {**details, "user": {"name": name, "uid": uid}})

    async def test_by_its_record(self):
        platform = await self.new_platform()
        uid, record = await self.leave(platform)
        await platform.prepare([record])
        self.assertFalse(is_known(uid))
        self.assertEqual(self.left(), [])

    async def test_without_a_record(self):
        """It died before it could write one."""
        platform = await self.new_platform()
        uid, record = await self.leave(platform)
        hold.let_go(record.details["folder"])
        await platform.prepare([])
        await until(lambda: not is_known(uid))

    async def test_the_one_that_it_made_to_see_whether_it_can(self):
        """It died before it could remove that."""
        remove_account = useradd._remove_account
        self.patch(useradd, "_remove_account", lambda *_: None)
        platform = await self.new_platform()
        self.assertEqual(len(users_at_home_in(self.tasks_dir)), 1)
        self.patch(useradd, "_remove_account", remove_account)
        await platform.prepare([])
        self.assertEqual((users_at_home_in(self.tasks_dir), self.left()), ([], []))

    async def test_a_group_whose_user_is_gone(self):
        """Somebody killed what was removing them."""
        platform = await self.new_platform()
        number = platform._means.own_users._uids.take(is_unused)
        names = {number: f"task_{number}", 1 << 20: f"task_{1 << 20}"}
        for gid, name in names.items():
            self.leave_group(name, gid, stays=False)
        await platform.prepare([])
        left = [name for name in names.values() if name in {entry.gr_name for entry in grp.getgrall()}]
        self.assertEqual(left, [f"task_{1 << 20}"], "one of other numbers may be somebody else's")

    async def test_users_that_live_stay(self):
        platform = await self.new_platform()
        context, _ = await self.start(shell("id -u; exec sleep 100"), platform)
        await until(lambda: printed(context))
        platform._means.own_users.remove_left_in(self.tasks_dir)
        self.assertEqual(len(users_at_home_in(self.tasks_dir)), 1)

    async def test_users_of_other_folders_stay(self):
        platform = await self.new_platform()
        uid = platform._means.own_users._uids.take(is_unused)
        name = add_user(self.helpers, uid, "/nonexistent/task_x_0", [])
        self.addCleanup(remove_user, self.helpers, name, uid)
        platform._means.own_users.remove_left_in(self.tasks_dir)
        self.assertTrue(is_known(uid))

    async def test_users_whose_homes_have_no_mark_stay(self):
        """On a file system that keeps none they may be another worker's."""
        self.patch(hold, "_set_mark", lambda folder: False)
        platform = await self.new_platform()
        uid, record = await self.leave(platform)
        hold.let_go(record.details["folder"])
        platform._means.own_users.remove_left_in(self.tasks_dir)
        self.assertTrue(is_known(uid))
        # By a record it is known whose it was.
        await platform.prepare([record])
        self.assertFalse(is_known(uid))

    async def test_users_whose_homes_are_gone_go(self):
        platform = await self.new_platform()
        uid, record = await self.leave(platform)
        remove_folder(record.details["folder"])
        platform._means.own_users.remove_left_in(self.tasks_dir)
        self.assertFalse(is_known(uid))

    async def test_an_old_record_does_nothing_to_who_has_the_number_now(self):
        platform = await self.new_platform()
        context, execution = await self.start(shell("id -u; exec sleep 100"), platform)
        await until(lambda: printed(context))
        uid = int(printed(context)[0])
        gone = os.path.join(self.tasks_dir, "task_gone_0")
        details = {**execution.record.details, "pid": 1 << 30, "groups": [], "folder": gone, "private": None}
        await platform.prepare([SandboxRecord("native", details)])
        self.assertTrue(is_known(uid))
        self.assertTrue(processes_of(uid))


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

    def test_a_home_that_no_list_of_users_can_hold(self):
        self.patch(os, "geteuid", lambda: 0)
        config = new_config("/a:b", task_users=True)
        self.assertIn("without :", str(self.assertRaises(ConfigError, NativePlatform, reactor, config)))

    def test_a_machine_without_the_programs(self):
        self.patch(user_settings, "missing_programs", lambda: ["useradd"])
        error = self.assertRaises(ConfigError, user_settings.check_programs)
        self.assertIn("useradd (Debian: package passwd)", str(error))


class TrialTests(OwnUsersCase):
    """What is found out before the first task."""

    async def test_users_that_cannot_be_made(self):
        def refuse(*arguments: object) -> str:
            raise CannotChangeUsers("useradd: cannot lock /etc/passwd")

        self.patch(users, "add_user", refuse)
        with self.assertRaises(ConfigError) as caught:
            await self.new_platform()
        self.assertIn("taskUsers: found true, but no user for the task could be made", str(caught.exception))

    async def test_nothing_is_left_of_it(self):
        made, add = [], add_user

        def note(helpers: Helpers, uid: int, home: str, groups: Sequence[str]) -> str:
            made.append(uid)
            return add(helpers, uid, home, groups)

        self.patch(users, "add_user", note)
        await self.new_platform()
        self.assertEqual([is_known(uid) for uid in made], [False])

    async def test_a_folder_that_others_may_change(self):
        """They could put another in its place."""
        tasks_dir = new_tasks_dir(self)
        os.chmod(os.path.dirname(tasks_dir), 0o777)
        platform = NativePlatform(reactor, new_config(tasks_dir, task_users=True))
        self.addCleanup(platform.dispose)
        with self.assertRaises(ConfigError) as caught:
            await platform.prepare([])
        self.assertIn(f"others may change {os.path.dirname(tasks_dir)}", str(caught.exception))


class NumberTests(OwnUsersCase):
    """Numbers and who has them."""

    async def test_one_that_somebody_took_meanwhile(self):
        platform = await self.new_platform()
        taken, add = [], add_user

        def race(helpers: Helpers, uid: int, home: str, groups: Sequence[str]) -> str:
            taken.append(uid)
            if len(taken) == 1:
                raise NumberTaken("useradd: UID is not unique")
            return add(helpers, uid, home, groups)

        self.patch(users, "add_user", race)
        context, _ = await self.run_task(shell("id -u"), platform)
        self.assertEqual(printed(context), [str(taken[1])])

    async def test_one_with_something_left_is_passed_over(self):
        platform = await self.new_platform()
        for left in ("has_ipc", "processes_of"):
            first: list[int] = []

            def remains(uid: int, first: list[int] = first) -> bool:
                first[:] = first or [uid]
                return uid == first[0]

            with self.patched(useradd, left, remains):
                uid = platform._means.own_users._uids.take(is_unused)
            self.assertEqual(len(first), 1)
            self.assertNotEqual(uid, first[0])

    @contextmanager
    def patched(self, module: object, name: str, value: object) -> Iterator[None]:
        patch = self.patch(module, name, value)
        yield
        patch.restore()

    async def test_a_user_with_ipc_objects_that_do_not_go_stays(self):
        platform = await self.new_platform()
        context = self.new_context(shell("id -u"))
        result = await (await platform.new_engine(context).start()).when_finished()
        uid = int(printed(context)[0])
        with self.patched(useradd, "has_ipc", lambda uid: True), self.assertRaises(CannotChangeUsers):
            await result.dispose()
        self.assertTrue(is_known(uid))
        remove_user(self.helpers, f"task_{uid}", uid)

    async def test_none_for_containers(self):
        """There are not so many."""
        await self.run_whole(shell("true"))
        for path in ("/etc/subuid", "/etc/subgid"):
            self.assertNotIn("task_", text_of(path) if exists(path) else "")


class DefaultTests(TestCase):
    """Who tasks are when nobody says so."""

    timeout = 60

    def reach(self, **settings: Any) -> Reach:
        platform = NativePlatform(reactor, parse([Source("f", {**LEAST, **settings})]))
        self.addCleanup(platform.dispose)
        reach: Reach = platform.new_engine(FakeTaskContext(reactor, shell("true"))).reach
        return reach

    def test_own_users_for_root(self):
        if os.geteuid() == 0:
            self.assertEqual(self.reach(), Reach.NOTHING)
            self.assertEqual(self.reach(taskUser="nobody"), Reach.EACH_OTHER)
        else:
            self.assertEqual(self.reach(), Reach.WORKER)
