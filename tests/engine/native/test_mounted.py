"""Caches, trees and files in native tasks: whose they are, where they lie, and what a task cannot do with them."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import capturedLogs, formatEvent

from tcworker.engine.native import home, ownership, placement
from tcworker.engine.native.carrier import Carrier
from tcworker.engine.native.folder import remove_left
from tcworker.engine.native.hold import let_go
from tcworker.engine.native.home import remove_left_home
from tcworker.engine.native.outside import remove_left_outside
from tcworker.engine.native.platform import NativePlatform
from tcworker.errors import Cause, Discarded, InternalError, ResourceUnavailable, TaskFailed
from tcworker.interfaces import ICacheFolder, IEngine, IExecution, IResult, RoomMade
from tests.engine.native.harness import NativeCase, exists, free, names_in, slow_copies, touch
from tests.surroundings import only_root, open_folder, until


def shell(script: str) -> dict[str, Any]:
    return {"command": [["sh", "-ec", script]]}


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def cut_short(path: str) -> None:
    """Let a line be written of which the end is missing."""
    with open(path, "a") as file:
        file.write('["/')


class MountedCase(NativeCase):
    """Tasks with something attached."""

    settings: Mapping[str, Any] = {}

    async def setUp(self):
        self.platform = await self.new_platform(**self.settings)

    async def new_cache(self, files: Mapping[str, str] | None = None, platform: NativePlatform | None = None) -> str:
        """A new folder, filled as an extraction would fill it; its path."""
        self.folder = await (platform or self.platform).new_cache_folder("c")
        self.addCleanup(self.folder.delete)
        return self.fill(self.folder, files or {})

    def fill(self, folder: ICacheFolder, files: Mapping[str, str]) -> str:
        assert folder.path is not None
        for name, text in files.items():
            path = os.path.join(folder.path, name)
            with open(path, "w") as file:
                file.write(text)
            if folder.owner is not None:
                os.chown(path, *folder.owner)
        return folder.path

    def engine(self, script: str, platform: NativePlatform | None = None) -> IEngine:
        self.context = self.new_context(shell(script))
        return (platform or self.platform).new_engine(self.context)

    async def run_engine(self, engine: IEngine, success: bool = True) -> IResult:
        execution = await engine.start()
        self.addCleanup(free, execution)
        result = await execution.when_finished()
        self.assertEqual(result.success, success, self.context.log.text)
        return result

    async def with_cache(self, script: str, folder: ICacheFolder, success: bool = True) -> IResult:
        """Run a task that has a cache at C{c}; it is back afterwards."""
        engine = self.engine(script)
        await engine.attach_cache(folder, "c", "mounts[0]")
        result = await self.run_engine(engine, success)
        await result.detach_cache(folder)
        return result

    def last_line(self) -> str:
        """The last one that the task printed."""
        lines = [line for line in self.context.log.text.splitlines() if not line.startswith(("[task", " "))]
        return lines[-1]


class OwnUsersCase(MountedCase):
    """Each task has a user of its own."""

    settings: Mapping[str, Any] = {"task_users": True}

    def setUp(self):
        only_root()
        return super().setUp()


class OwnUserTests(OwnUsersCase):
    """A cache belongs to one of them."""

    def never_walks(self) -> None:
        """From now on nothing of a cache may be given to somebody."""
        self.patch(ownership, "give", lambda *_: self.fail("a cache was walked through"))

    async def test_a_new_one_is_nobodys(self):
        path = await self.new_cache()
        assert self.folder.owner is not None
        self.assertEqual(os.stat(path).st_uid, self.folder.owner[0])
        self.assertIn(self.folder.owner[0], range(40000, 50000))
        other = await self.platform.new_cache_folder("d")
        self.assertNotEqual(other.owner, self.folder.owner)
        await other.delete()

    async def test_each_task_has_a_number_that_nobody_had(self):
        """What an earlier one left elsewhere, with the right to run as itself, is not the next one's."""
        path = await self.new_cache({"file": "x"})
        before = os.stat(path).st_uid
        self.never_walks()
        use = "echo new >> c/new; mkdir -p c/folder; chmod 700 c/folder; cat c/file c/new"
        numbers = {before}
        for _ in range(3):
            result = await self.with_cache(f"stat -c %u c c/* | sort -u; {use}; id -u", self.folder)
            await result.dispose()
            uid = self.last_line()
            self.assertIn(f"\n{uid}\nx", self.context.log.text)
            self.assertNotIn(int(uid), numbers)
            numbers.add(int(uid))
        self.assertEqual({os.stat(os.path.join(path, name)).st_uid for name in ("file", "new", "folder")}, {before})

    async def test_several_caches(self):
        """All are shown as the task's; what is mounted in one of them belongs to whom that does."""
        await self.new_cache({"file": "one"})
        first = self.folder
        await self.new_cache({"file": "other"})
        second = self.folder
        self.never_walks()
        use = "echo more >> a/text; rm a/text; echo x > a/x; echo x > b/x; echo x > a/deep/er/x"
        engine = self.engine(f"stat -c %u a/* b/* a/deep/er | sort -u; id -u; {use}")
        await engine.attach_cache(first, "a", "mounts[0]")
        await engine.attach_cache(second, "b", "mounts[1]")
        for number, name in enumerate(("a/text", "a/deep/er/text")):
            await engine.attach_file(__file__, name, f"mounts[{number + 2}]")
        result = await self.run_engine(engine)
        uid = self.last_line()
        self.assertIn(f"\n{uid}\n{uid}\n", self.context.log.text)
        await result.detach_cache(second)
        await result.detach_cache(first)
        for folder, names in ((first, ("x", "deep/er", "deep/er/text", "deep/er/x")), (second, ("x",))):
            assert folder.owner is not None
            owners = {os.stat(os.path.join(folder.path or "", name)).st_uid for name in names}
            self.assertEqual(owners, {folder.owner[0]})

    async def test_a_task_with_roots_rights(self):
        """Makes files that are root's, which the next task must be able to change."""
        path = await self.new_cache({"file": "x"})
        engine = self.engine("echo x > c/root; echo y >> c/file")
        engine.run_as_worker()
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        result = await self.run_engine(engine)
        await result.detach_cache(self.folder)
        await result.dispose()
        self.assertEqual(os.stat(path).st_uid, 0)
        await (await self.with_cache("echo y >> c/root; echo y >> c/file", self.folder)).dispose()
        self.assertNotEqual(os.stat(os.path.join(path, "root")).st_uid, 0)

    async def test_artifacts_of_what_is_only_seen(self):
        """What opens them sees what the task saw."""
        await self.new_cache({"shared": "x"})
        engine = self.engine("echo new > t/new; rm t/shared; mkdir t/deep; mv t/new t/deep")
        await engine.attach_tree(self.folder, "t", "mounts[0]", False)
        result = await self.run_engine(engine)
        found = [entry.path async for entry in result.archive_folder("t")]
        self.assertEqual(found, ["deep/new"])

    async def test_a_tmp_of_its_own(self):
        """Absolute paths below it are the task's own, too."""
        await self.new_cache({"file": "x"})
        name = f"/tmp/mounted-{os.urandom(4).hex()}"
        engine = self.engine(f"cat {name}/c/file {name}/t/file; echo y > {name}/c/new; echo y > {name}/t/new")
        tree = await self.platform.new_cache_folder("t")
        self.fill(tree, {"file": "x"})
        await engine.attach_cache(self.folder, f"{name}/c", "mounts[0]")
        await engine.attach_tree(tree, f"{name}/t", "mounts[1]", False)
        result = await self.run_engine(engine)
        self.assertFalse(exists(name))
        await result.detach_cache(self.folder)
        self.assertEqual(names_in(self.folder.path or ""), ["file", "new"])
        self.assertEqual(names_in(tree.path or ""), ["file"])
        await result.dispose()
        await tree.delete()

    async def test_folders_of_the_machine(self):
        """Those that the task's user may write to anyway; what is really there stays."""
        place = os.path.join(open_folder(self), "open")
        os.mkdir(place)
        os.chmod(place, 0o1777)
        await self.new_cache({"file": "x"})
        engine = self.engine(f"cat {place}/file; echo y > {place}/new")
        await engine.attach_cache(self.folder, place, "mounts[0]")
        result = await self.run_engine(engine)
        await result.detach_cache(self.folder)
        self.assertEqual((names_in(place), names_in(self.folder.path or "")), ([], ["file", "new"]))

    async def test_folders_of_the_machine_that_are_not_for_tasks(self):
        """Programs with more rights trust what is in some of them."""
        await self.new_cache({"passwd": "x"})
        for place in ("/etc", "/root/no/such/folder"):
            engine = self.engine("true")
            await engine.attach_tree(self.folder, place, "mounts[3]", False)
            error = await self.fails_to_start(engine)
            self.assertIn(f"mounts[3]: {place}", str(error))

    async def test_a_file_outside(self):
        engine = self.engine("true")
        await engine.attach_file(__file__, "/etc/file", "mounts[3]")
        self.assertIn("/etc/file", str(await self.fails_to_start(engine)))
        self.assertFalse(exists("/etc/file"))

    async def test_links_of_a_cache_lead_nowhere(self):
        """A task left them for the one after it, whose mounts are put there by root."""
        outside = open_folder(self)
        os.chmod(outside, 0o777)
        path = await self.new_cache()
        os.symlink(outside, os.path.join(path, "link"))
        for attach in ("attach_cache", "attach_file", "attach_tree"):
            engine = self.engine("true")
            await engine.attach_cache(self.folder, "c", "mounts[0]")
            await self.attach(engine, attach, "c/link/x")
            error = await self.fails_to_start(engine)
            self.assertIn("c/link", str(error))
        self.assertEqual(os.listdir(outside), [])
        self.assertEqual(os.listdir(path), ["link"])

    async def attach(self, engine: IEngine, how: str, target: str) -> None:
        other = await self.platform.new_cache_folder("other")
        self.addCleanup(other.delete)
        if how == "attach_file":
            await engine.attach_file(__file__, target, "mounts[1]")
        elif how == "attach_tree":
            await engine.attach_tree(other, target, "mounts[1]", False)
        else:
            await engine.attach_cache(other, target, "mounts[1]")

    async def fails_to_start(self, engine: IEngine) -> TaskFailed:
        with self.assertRaises(TaskFailed) as caught:
            await engine.start()
        self.assertEqual([name for name in names_in(self.tasks_dir) if name.startswith("task_")], [])
        return caught.exception

    async def test_nothing_is_left(self):
        """Neither beside the task's folder nor mounted."""
        await self.new_cache({"file": "x"})
        engine = self.engine("echo x > new")
        await engine.attach_tree(self.folder, ".", "mounts[0]", False)
        await (await self.run_engine(engine)).dispose()
        self.assertEqual(names_in(self.tasks_dir), [])
        self.assertNotIn(self.tasks_dir, read("/proc/self/mounts"))


class RootTests(MountedCase):
    """Tasks that run as the worker, which is root."""

    def setUp(self):
        only_root()
        return super().setUp()

    async def test_a_new_cache_is_its_tasks(self):
        """As some programs want: they work in nobody else's folders."""
        await self.new_cache({"file": "x"})
        for _ in range(2):
            await self.with_cache("test -O c; test -O c/file", self.folder)


class RootAmongOthersTests(OwnUsersCase):
    """A task that runs as the worker, where others have users of their own."""

    async def test_a_new_cache_is_its_tasks(self):
        await self.new_cache({"file": "x"})
        engine = self.engine("test -O c; test -O c/file")
        engine.run_as_worker()
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        result = await self.run_engine(engine)
        await result.detach_cache(self.folder)
        await self.with_cache("test -O c; test -O c/file", self.folder)


class OutsideTests(MountedCase):
    """In folders of the machine, of tasks that run as the worker's own user."""

    async def setUp(self):
        await super().setUp()
        # On one disk with the folders of tasks.
        self.path = os.path.join(os.path.dirname(self.tasks_dir), "machine", "c")

    async def start_with_cache(self, script: str) -> IExecution:
        await self.new_cache({"file": "x"})
        engine = self.engine(script)
        await engine.attach_cache(self.folder, self.path, "mounts[0]")
        execution = await engine.start()
        self.addCleanup(free, execution)
        return execution

    async def test_a_cache_that_is_kept(self):
        execution = await self.start_with_cache(f"echo y > {self.path}/new")
        result = await execution.when_finished()
        await result.detach_cache(self.folder)
        await result.dispose()
        self.assertEqual(names_in(self.folder.path or ""), ["file", "new"])
        self.assertFalse(exists(self.path))

    async def test_a_cache_that_is_dropped(self):
        for _ in range(2):
            execution = await self.start_with_cache(f"mkdir {self.path}/new")
            result = await execution.when_finished()
            self.assertTrue(result.success, self.context.log.text)
            await result.dispose()
            self.assertFalse(exists(self.path))

    async def test_what_the_task_put_in_its_place_stays(self):
        execution = await self.start_with_cache(f"mv {self.path} {self.path}.moved; mkdir {self.path}")
        result = await execution.when_finished()
        await result.dispose()
        self.assertTrue(exists(self.path))

    async def start_with_tree(self, script: str, cache: ICacheFolder | None = None) -> IResult:
        engine = self.engine(script)
        if cache is not None:
            await engine.attach_cache(cache, f"{self.path}/deep/cache", "mounts[0]")
            await engine.attach_file(__file__, f"{self.path}/file", "mounts[1]")
        await engine.attach_tree(self.folder, self.path, "mounts[2]", False)
        return await self.run_engine(engine)

    async def test_a_tree_is_the_next_tasks_as_it_was(self):
        tree = await self.new_cache({"a": "x", "b": "x"})
        for _ in range(2):
            change = f"echo y > {self.path}/a; rm {self.path}/b; touch {self.path}/new"
            result = await self.start_with_tree(f"echo $(ls {self.path}); {change}")
            self.assertEqual(self.last_line(), "a b")
            await result.dispose()
        self.assertEqual(names_in(tree), ["a", "b"])
        self.assertEqual(read(os.path.join(tree, "a")), "x")

    async def test_a_cache_in_a_tree(self):
        await self.new_cache({"in": "x"})
        cache = self.folder
        await self.new_cache({"a": "x"})
        result = await self.start_with_tree(f"cd {self.path}; echo $(ls . deep/cache); touch deep/cache/new", cache)
        self.assertEqual(self.last_line(), ".: a deep file deep/cache: in")
        await result.detach_cache(cache)
        await result.dispose()
        self.assertEqual(names_in(cache.path or ""), ["in", "new"])

    async def test_a_worker_that_died(self):
        """The next one removes it, if it is the same."""
        execution = await self.start_with_cache("true")
        await execution.when_finished()
        details = json.loads(json.dumps(execution.record.details))
        os.rename(self.path, f"{self.path}.it")
        os.mkdir(self.path)
        remove_left_outside(details["private"])
        self.assertTrue(exists(self.path))
        os.rmdir(self.path)
        os.rename(f"{self.path}.it", self.path)
        remove_left_home(self.platform._means, details)
        self.assertFalse(exists(self.path))

    async def test_a_worker_that_died_before_it_had_a_record(self):
        """In the midst of a line of its note, too."""
        execution = await self.start_with_cache("true")
        await execution.when_finished()
        scratch = execution.record.details["private"]
        cut_short(os.path.join(scratch, "outside"))
        let_go(scratch)
        remove_left(scratch)
        self.assertEqual((exists(self.path), exists(scratch)), (False, False))

    async def test_a_task_that_wants_something_removed(self):
        """As soon as its worker dies; it can write in its own folder alone."""
        victim = open_folder(self)
        entry = os.stat(victim)
        note = json.dumps([victim, entry.st_dev, entry.st_ino])
        execution = await self.start_with_cache(f"echo '{note}' > outside")
        await execution.when_finished()
        folder = execution.record.details["folder"]
        let_go(folder)
        remove_left(folder)
        self.assertEqual((exists(victim), exists(folder)), (True, False))

    async def test_a_file(self):
        """Goes with its task, unless that put another one there."""
        for script, stays in (("test -s {}", False), ("test -s {0}; cp {0} {0}.new; mv {0}.new {0}", True)):
            engine = self.engine(script.format(self.path))
            await engine.attach_file(__file__, self.path, "mounts[0]")
            result = await self.run_engine(engine)
            await result.dispose()
            self.assertEqual(exists(self.path), stays)

    async def test_a_file_of_a_task_that_never_ran(self):
        engine = self.engine("true")
        await engine.attach_file(__file__, self.path, "mounts[0]")
        await engine.attach_file("/no/such/file", "f", "mounts[1]")
        await self.assertFailure(engine.start(), ResourceUnavailable)
        self.assertFalse(exists(self.path))


class CopiesOutsideTests(OutsideTests):
    """Where the kernel shows nobody anything else than what is there."""

    async def setUp(self):
        await super().setUp()
        self.platform._means.showing.possible = False

    async def test_one_that_never_ran(self):
        await self.new_cache({"a": "x"})
        engine = self.engine("true")
        await engine.attach_tree(self.folder, self.path, "mounts[0]", False)
        await engine.attach_file(f"{self.path}.gone", "file", "mounts[1]")
        with self.assertRaises(ResourceUnavailable):
            await engine.start()
        self.assertFalse(exists(self.path))

    async def test_what_the_machine_has_there(self):
        os.makedirs(os.path.join(self.path, "folder"))
        await self.new_cache({"a": "x"})
        os.mkdir(os.path.join(self.folder.path or "", "folder"))
        touch(os.path.join(self.folder.path or "", "folder"), "b")
        touch(os.path.join(self.path, "folder"), "of-the-machine")
        result = await self.start_with_tree(f"cd {self.path}; echo $(ls . folder)")
        self.assertEqual(self.last_line(), ".: a folder folder: b of-the-machine")
        await result.dispose()
        self.assertEqual(names_in(self.path), ["folder"])
        self.assertEqual(names_in(os.path.join(self.path, "folder")), ["of-the-machine"])


class CopyTests(MountedCase):
    """Where the kernel shows nobody anything else than what is there."""

    async def setUp(self):
        await super().setUp()
        self.platform._means.showing.possible = False

    async def test_a_tree_is_copied(self):
        path = await self.new_cache({"a": "x", "b": "x"})
        engine = self.engine("grep -q x t/a; echo y > t/a; rm t/b; echo $(ls t)")
        await engine.attach_tree(self.folder, "t", "mounts[0]", False)
        await self.run_engine(engine)
        self.assertEqual(self.last_line(), "a")
        self.assertEqual(names_in(path), ["a", "b"])

    async def test_one_that_cannot_be_changed(self):
        await self.new_cache({"a": "x"})
        engine = self.engine("grep -q x t/a; echo $(stat -c %a t t/a)")
        await engine.attach_tree(self.folder, "t", "mounts[0]", True)
        await self.run_engine(engine)
        self.assertEqual(self.last_line(), "555 444")


class CopyForOwnUsersTests(OwnUsersCase, CopyTests):
    """With users of their own, as before."""

    async def test_a_cache_of_another_user_is_given(self):
        path = await self.new_cache({"file": "x"})
        first = await self.with_cache("id -u", self.folder)
        second = await self.with_cache("echo y >> c/file; id -u", self.folder)
        self.assertEqual(str(os.stat(path).st_uid), self.last_line())
        await first.dispose()
        await second.dispose()

    async def test_one_that_cannot_be_changed_by_its_owner(self):
        await self.new_cache({"a": "x"})
        engine = self.engine("chmod u+w t t/a 2>/dev/null || echo refused")
        await engine.attach_tree(self.folder, "t", "mounts[0]", True)
        await self.run_engine(engine)
        self.assertEqual(self.last_line(), "refused")


class RefusalTests(OwnUsersCase):
    """A kernel that does not let a task see a tree."""

    async def test_it_gets_a_copy(self):
        """And the cache that was put in its place before is there as well."""
        tree = await self.platform.new_cache_folder("t")
        self.addCleanup(tree.delete)
        self.fill(tree, {"a": "x"})
        await self.new_cache({"file": "y"})
        # A folder that is none cannot be shown, in whatever way the kernel says that.
        sound = self.platform._means.launcher.supervise
        orders: list[Any] = []

        def supervise(order: Any, *rest: Any) -> Any:
            orders.append(order)
            if order["views"]:
                order["views"]["views"][0]["target"] = ("/no/such/folder", [])
            return sound(order, *rest)

        self.patch(self.platform._means.launcher, "supervise", supervise)
        engine = self.engine("cat t/a c/file")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        await engine.attach_tree(tree, "t", "mounts[1]", False)
        result = await self.run_engine(engine)
        await result.detach_cache(self.folder)
        self.assertEqual([order["views"] is None for order in orders], [False, True])
        # That may have been an accident.
        self.assertTrue(self.platform._means.showing.possible)
        await result.dispose()


class FullDiskTests(MountedCase):
    """A disk on which there is no room, until somebody makes some."""

    async def setUp(self):
        await super().setUp()
        self.full = True
        self.asked = 0

    def engine_with_caches(self, script: str, makes_room: bool = True) -> IEngine:
        """One whose caches can make room."""
        engine = self.engine(script)

        def make_room(full: str | None) -> Deferred[RoomMade]:
            self.asked += 1
            self.full = self.full and not makes_room
            return succeed(RoomMade.SOME if makes_room else RoomMade.NONE)

        self.patch(self.context.caches, "make_room", make_room)
        return engine

    def fills(self, where: object, name: str) -> None:
        """Let something fail as long as the disk is full."""
        sound = getattr(where, name)

        def try_to(*arguments: Any) -> Any:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device", str(arguments[-1]))
            return sound(*arguments)

        self.patch(where, name, try_to)

    def on_other_disks(self) -> None:
        """Let caches be on another disk than tasks."""
        sound = os.rename

        def rename(source: str, target: str, **more: Any) -> None:
            if os.path.isabs(source) and source.startswith(self.tasks_dir) != (
                "dst_dir_fd" in more or target.startswith(self.tasks_dir)
            ):
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            sound(source, target, **more)

        self.patch(os, "rename", rename)

    async def test_a_file(self):
        self.fills(placement, "copy_file")
        engine = self.engine_with_caches("test -s f")
        await engine.attach_file(__file__, "f", "mounts[0]")
        await self.run_engine(engine)
        self.assertEqual(self.asked, 1)

    async def test_a_file_for_which_no_room_can_be_made(self):
        self.fills(placement, "copy_file")
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true", makes_room=False)
        await engine.attach_cache(self.folder, "c", "mounts[0]", self.never)
        await engine.attach_file(__file__, "f", "mounts[1]")
        with self.assertRaises(ResourceUnavailable) as caught:
            await engine.start()
        error = caught.exception
        self.assertEqual((error.cause, error.evidence["path"]), (Cause.NO_DISK, self.tasks_dir))
        self.assertRegex(
            str(error), r"^mounts\[1\]: the file \(0.0 MiB\) cannot be put on f: the disk of /\S+ is full, with"
        )
        self.assertEqual((names_in(path), names_in(self.tasks_dir)), (["file"], []))

    def never(self) -> None:
        self.fail("it is not the cache that is too large")

    async def test_the_task_s_own_folder(self):
        self.fills(home, "make_folder")
        await self.run_engine(self.engine_with_caches("true"))
        self.assertEqual(self.asked, 1)

    async def test_a_cache_that_is_copied(self):
        self.on_other_disks()
        self.fills(Carrier, "_copy_content")
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("cat c/file; echo y > c/new")
        await engine.attach_cache(self.folder, "c", "mounts[0]", self.never)
        result = await self.run_engine(engine)
        self.full = True
        await result.detach_cache(self.folder)
        self.assertEqual((self.asked, names_in(path)), (2, ["file", "new"]))

    async def test_a_cache_that_has_become_too_large(self):
        """Its owner is told, and has it back; those that had room are back as well."""
        self.on_other_disks()
        small = await self.new_cache({"file": "x"})
        first = self.folder
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true", makes_room=False)
        told: list[str] = []
        await engine.attach_cache(first, "a", "mounts[0]", self.never)
        await engine.attach_cache(self.folder, "b", "mounts[1]", lambda: told.append(path))
        sound = Carrier._copy_content

        def copy(carrier: Carrier, source: str, target: str) -> None:
            if source == path:
                raise OSError(errno.ENOSPC, "No space left on device", target)
            sound(carrier, source, target)

        self.patch(Carrier, "_copy_content", copy)
        with self.assertRaises(ResourceUnavailable) as caught:
            await engine.start()
        self.assertIn("mounts[1]: cache c (0.0 MiB) cannot be put on b: the disk of ", str(caught.exception))
        self.assertEqual((told, names_in(small), names_in(path)), ([path], ["file"], ["file"]))

    async def test_nothing_is_left_though_caches_cannot_be_put_back(self):
        await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true", makes_room=False)
        await engine.attach_cache(self.folder, "c", "mounts[0]", self.never)
        removed: list[str] = []

        def fails(placement: object) -> None:
            raise RuntimeError("a fault of ours")

        self.fills(Carrier, "new_folder")
        self.patch(placement.Placement, "put_back", fails)
        self.patch(placement.Placement, "remove_outside", lambda placement: removed.append("what is outside"))
        await self.assertFailure(engine.start(), RuntimeError)
        self.assertEqual((removed, names_in(self.tasks_dir)), (["what is outside"], []))

    async def test_one_that_needs_no_room_is_kept(self):
        """It is not too large for a disk that it is on already, even if that has no room for another folder."""
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true", makes_room=False)
        await engine.attach_cache(self.folder, "c", "mounts[0]", self.never)

        def full(carrier: Carrier, name: str) -> str:
            raise OSError(errno.ENOSPC, "No space left on device", os.path.join(carrier.scratch, f"{name}-1"))

        self.patch(Carrier, "new_folder", full)
        await self.assertFailure(engine.start(), ResourceUnavailable)
        self.assertEqual(names_in(path), ["file"])

    async def test_one_that_cannot_be_taken_back(self):
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true", makes_room=False)
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        result = await self.run_engine(engine)
        self.fills(Carrier, "move_back")
        with self.assertRaises(ResourceUnavailable) as caught:
            await result.detach_cache(self.folder)
        self.assertEqual(
            (caught.exception.cause, caught.exception.evidence["path"]), (Cause.NO_DISK, os.path.dirname(path))
        )
        self.assertIn("cache c (0.0 MiB) on c cannot be kept: the disk of ", str(caught.exception))
        await result.dispose()

    async def test_the_task_has_filled_it(self):
        """What was there before is enough to take a cache back."""
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true", makes_room=False)
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        result = await self.run_engine(engine)
        self.fills(os, "mkdir")
        await result.detach_cache(self.folder)
        self.assertEqual(names_in(path), ["file"])
        self.full = False

    async def test_one_of_a_task_that_does_not_start(self):
        """Needs no room, nor time, to be where it was: it still is there."""
        self.on_other_disks()
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        await engine.attach_file("/no/such/file", "f", "mounts[1]")
        self.full = False
        number = os.stat(path).st_ino
        with capturedLogs() as events:
            await self.assertFailure(engine.start(), ResourceUnavailable)
        self.assertEqual([formatEvent(event) for event in events if "is lost" in (formatEvent(event) or "")], [])
        self.assertEqual((os.stat(path).st_ino, names_in(path), names_in(self.tasks_dir)), (number, ["file"], []))

    async def test_one_of_a_task_that_starts_is_not_there_twice(self):
        """For long: what cannot go at once goes when the cache comes back."""
        self.on_other_disks()
        self.full = False
        for hindered in (False, True):
            path = await self.new_cache({"file": "x"})
            engine = self.engine_with_caches("rm c/file; touch c/new")
            await engine.attach_cache(self.folder, "c", "mounts[0]")
            if hindered:
                self.fails_once(placement, "remove")
            result = await self.run_engine(engine)
            await until(lambda: hindered or not exists(path))  # noqa: B023  # it is over with this round
            await result.detach_cache(self.folder)
            self.assertEqual(names_in(path), ["new"])
            await result.dispose()

    def fails_once(self, where: object, name: str) -> None:
        """Let something fail for another reason, and work from then on."""
        sound = getattr(where, name)
        failed: list[object] = []

        def try_to(*arguments: Any, **more: Any) -> Any:
            if not failed:
                failed.append(arguments)
                raise OSError(errno.EBUSY, "Device or resource busy")
            return sound(*arguments, **more)

        self.patch(where, name, try_to)

    async def test_nobody_waits_for_a_copy_that_nobody_wants(self):
        """Of a cache that comes back while the worker has to go."""
        self.on_other_disks()
        self.full = False
        path = await self.new_cache({"file": "x"})
        engine = self.engine_with_caches("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        result = await self.run_engine(engine)
        await until(lambda: not exists(path))
        program = slow_copies(open_folder(self))
        self.patch(os, "defpath", program)
        detaching = result.detach_cache(self.folder)
        await until(lambda: exists(f"{program}/begun"))
        detaching.cancel()
        await self.assertFailure(detaching, CancelledError)
        await result.dispose()
        self.assertEqual((exists(path), names_in(self.tasks_dir)), (False, []))

    async def test_nor_for_room(self):
        """Whichever of several caches waits for it."""
        engine = self.engine("true")
        paths: list[str] = []
        folders: list[ICacheFolder] = []
        for name in ("a", "b"):
            paths.append(await self.new_cache({"file": "x"}))
            folders.append(self.folder)
            await engine.attach_cache(self.folder, name, "mounts[0]")
        result = await self.run_engine(engine)
        self.fills(Carrier, "move_back")
        asked: list[Deferred[RoomMade]] = []

        def make_room(full: str | None) -> Deferred[RoomMade]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(self.context.caches, "make_room", make_room)
        detaching = [result.detach_cache(folder) for folder in folders]
        await until(lambda: len(asked) == len(folders))
        await result.dispose()
        for each in detaching:
            await self.assertFailure(each, ResourceUnavailable)
        self.assertEqual(([exists(path) for path in paths], names_in(self.tasks_dir)), ([False, False], []))


class DeathTests(MountedCase):
    """What goes wrong when a start does."""

    async def test_a_source_that_is_gone(self):
        """It is not the task's fault."""
        engine = self.engine("true")
        await engine.attach_file("/no/such/file", "f", "mounts[0]")
        with self.assertRaises(ResourceUnavailable) as caught:
            await engine.start()
        self.assertIn("mounts[0]", str(caught.exception))

    async def test_a_cache_that_is_gone(self):
        """Can be had anew, and is empty."""
        path = await self.new_cache()
        os.rmdir(path)
        await self.with_cache("echo x > c/new", self.folder)
        self.assertEqual(names_in(path), ["new"])

    async def test_a_start_that_is_discarded_while_caches_are_placed(self):
        path = await self.new_cache({"file": "x"})
        engine = self.engine("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        starting = engine.start()
        await engine.discard()
        await self.assertFailure(starting, Discarded)
        self.assertEqual(names_in(path), ["file"])

    async def test_taking_back_is_waited_for_by_all_though_one_goes(self):
        path = await self.new_cache({"file": "x"})
        engine = self.engine("echo more > c/more")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        result = await self.run_engine(engine)
        moving, go_on, move_back = threading.Event(), threading.Event(), Carrier.move_back

        def slowly(*arguments: Any) -> None:
            moving.set()
            go_on.wait(30)
            move_back(*arguments)

        self.patch(Carrier, "move_back", slowly)
        first = result.detach_cache(self.folder)
        await until(moving.is_set)
        first.cancel()
        await self.assertFailure(first, CancelledError)
        second, disposing = result.detach_cache(self.folder), result.dispose()
        self.assertNoResult(second)
        go_on.set()
        await second
        await disposing
        self.assertEqual(names_in(path), ["file", "more"])

    async def test_another_folder_put_in_its_place_as_soon_as_it_is_there(self):
        """By who still has a descriptor of a cache around it: the next task must not get that as its cache."""
        path = await self.new_cache({"file": "x"})
        engine = self.engine("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        move_in = Carrier.move_in

        def swap(carrier: Carrier, source: str, target: int, name: str, *rest: Any) -> Any:
            moved = move_in(carrier, source, target, name, *rest)
            os.rename(name, "away", src_dir_fd=target, dst_dir_fd=target)
            os.mkdir(name, dir_fd=target)
            return moved

        self.patch(Carrier, "move_in", swap)
        result = await self.run_engine(engine)
        with self.assertRaisesRegex(TaskFailed, "the task removed the folder c, which is its cache"):
            await result.detach_cache(self.folder)
        self.assertFalse(exists(path))

    async def test_discarded_twice_while_it_is_placed(self):
        """The second time comes when it is cleared away: nothing is left, and nobody told so before."""
        path = await self.new_cache({"file": "x"})
        other = await self.platform.new_cache_folder("d")
        self.addCleanup(other.delete)
        engine = self.engine("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        await engine.attach_cache(other, "d", "mounts[1]")
        moving, go_on, move_in = threading.Event(), threading.Event(), Carrier.move_in

        def slowly(*arguments: Any) -> Any:
            moving.set()
            go_on.wait(30)
            return move_in(*arguments)

        self.patch(Carrier, "move_in", slowly)
        starting = engine.start()
        await until(moving.is_set)
        first, second = engine.discard(), engine.discard()
        self.assertNoResult(first)
        self.assertNoResult(second)
        go_on.set()
        await first
        await second
        await self.assertFailure(starting, Discarded)
        self.assertEqual((names_in(path), exists(other.path or ""), names_in(self.tasks_dir)), (["file"], True, []))

    async def test_what_follows_is_not_begun_once_it_is_discarded(self):
        engine = self.engine("true")
        for name in ("one", "two"):
            await engine.attach_file(__file__, name, f"mounts[{name}]")
        begun: list[object] = []
        copying, go_on = threading.Event(), threading.Event()

        def slowly(source: str, *_: object) -> None:
            begun.append(source)
            copying.set()
            go_on.wait(30)

        self.patch(placement, "copy_file", slowly)
        starting = engine.start()
        await until(copying.is_set)
        discarding = engine.discard()
        go_on.set()
        await discarding
        await self.assertFailure(starting, Discarded)
        self.assertEqual(len(begun), 1)

    async def test_a_broken_disk(self):
        """No task's fault, nor for want of anything that might be there the next time."""
        await self.new_cache({"file": "x"})

        def refuse(*_: Any) -> None:
            raise OSError(errno.EIO, "Input/output error")

        engine = self.engine("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")
        self.patch(Carrier, "move_in", refuse)
        error = await self.assertFailure(engine.start(), InternalError)
        self.assertTrue(str(error).startswith("mounts[0]: c cannot be made: Input/output error. The worker needs that"))

    async def test_a_launcher_that_cannot_start(self):
        path = await self.new_cache({"file": "x"})
        engine = self.engine("true")
        await engine.attach_cache(self.folder, "c", "mounts[0]")

        def refuse(*_: object) -> Deferred[None]:
            raise OSError(24, "Too many open files")

        self.patch(self.platform._means.launcher, "supervise", refuse)
        with self.assertRaises(ResourceUnavailable):
            await engine.start()
        self.assertEqual(names_in(path), ["file"])
        self.assertEqual(names_in(self.tasks_dir), [])
