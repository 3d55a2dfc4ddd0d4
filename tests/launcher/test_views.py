"""Folders that a run shares with others and sees as its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher.namespace import Namespace, Private, folders_on_disk
from tcworker.launcher.views import CannotShow, Place, View, Views
from tests.launcher.test_namespace import in_child
from tests.surroundings import only_root, open_folder

ON_DISK, SEEN = (39201, 39201), (39202, 39202)


class ViewCase(SynchronousTestCase):
    """A folder of a run's, C{task}, and shared ones."""

    def setUp(self):
        only_root()
        self.top = open_folder(self)
        self.task = self.make("task", {}, SEEN)
        self.works = 0

    def make(self, name: str, files: dict[str, str], owner: tuple[int, int] = ON_DISK) -> str:
        """A folder with files in it."""
        path = os.path.join(self.top, name)
        os.makedirs(path)
        os.chown(path, *owner)
        for relative, text in files.items():
            place = path
            for part in relative.split("/")[:-1]:
                place = os.path.join(place, part)
                os.makedirs(place, exist_ok=True)
                os.chown(place, *owner)
            with open(os.path.join(path, relative), "w") as file:
                file.write(text)
            os.chown(os.path.join(path, relative), *owner)
        return path

    def view(self, parts: Sequence[str], *layers: str, read_only: bool = False) -> View:
        self.works += 1
        work = self.make(f"work-{self.works}", {}, (0, 0))
        own = None if read_only else Place(self.task, parts)
        return View(Place(self.task, parts), [Place(layer) for layer in layers], own, work)

    def seen(self, work: Callable[[], object], *views: View, private: Private | None = None) -> str:
        """What the run's user answers, who sees them."""

        def enter() -> object:
            assert Namespace().enter(private, Views(views, SEEN, plain=True))
            os.setgroups([])
            os.setgid(SEEN[1])
            os.setuid(SEEN[0])
            os.chdir(self.task)
            return work()

        return in_child(enter)


def read(path: str) -> str:
    """The text of a file."""
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    """Give a file a text."""
    with open(path, "w") as file:
        file.write(text)


class OverlayTests(ViewCase):
    """What can be changed, without anybody else seeing it."""

    def test_all_of_it_is_the_runs_own(self):
        tree = self.make("tree", {"file": "shared", "deep/er/file": "deep"})
        os.mkdir(os.path.join(self.task, "here"))
        os.chown(os.path.join(self.task, "here"), *SEEN)

        def look() -> object:
            paths = ("here", "here/file", "here/deep", "here/deep/er/file")
            return {os.stat(path).st_uid for path in paths}, read("here/file"), read("here/deep/er/file")

        self.assertEqual(self.seen(look, self.view(["here"], tree)), str(({SEEN[0]}, "shared", "deep")))

    def test_changes_stay_in_the_runs_own_folder(self):
        tree = self.make("tree", {"changed": "before", "removed": "before", "deep/renamed": "before"})

        def change() -> object:
            write("changed", "after")
            write("new", "new")
            os.unlink("removed")
            os.rename("deep", "elsewhere")
            os.chmod("elsewhere/renamed", 0o755)
            return sorted(os.listdir(".")), read("changed")

        self.assertEqual(self.seen(change, self.view([], tree)), str((["changed", "elsewhere", "new"], "after")))
        self.assertEqual(sorted(os.listdir(tree)), ["changed", "deep", "removed"])
        self.assertEqual(read(os.path.join(tree, "changed")), "before")
        self.assertEqual(os.stat(os.path.join(tree, "deep", "renamed")).st_mode & 0o777, 0o644)
        self.assertEqual(read(os.path.join(self.task, "new")), "new")

    def test_two_in_one_place(self):
        """The first of them over the other, folders become one."""
        upper = self.make("upper", {"both": "upper", "deep/a": "a"})
        lower = self.make("lower", {"both": "lower", "deep/b": "b"}, (39203, 39203))

        def look() -> object:
            return read("both"), sorted(os.listdir("deep")), os.stat("deep/b").st_uid

        self.assertEqual(self.seen(look, self.view([], upper, lower)), str(("upper", ["a", "b"], SEEN[0])))

    def test_one_in_another(self):
        outer, inner = self.make("outer", {"a": "outer"}), self.make("inner", {"b": "inner"})
        self.make("task/in", {}, SEEN)
        views = [self.view(["in"], inner), self.view([], outer)]
        self.assertEqual(self.seen(lambda: (read("a"), os.listdir("in")), *views), str(("outer", ["b"])))

    def test_a_folder_of_the_runs_own_in_another(self):
        """As if no overlay was there: what is done in it is done to it."""
        outer = self.make("outer", {"cache/hidden": "", "a": ""})
        cache = self.make("task/cache", {"mine": "before"}, SEEN)
        mine = View(Place(self.task, ["cache"]), [], Place(self.task, ["cache"]), None)

        def look() -> object:
            os.rename("cache/mine", "cache/moved")
            return os.listdir("cache")

        self.assertEqual(self.seen(look, self.view([], outer), mine), str(["moved"]))
        self.assertEqual(os.listdir(cache), ["moved"])

    def test_with_a_tmp_of_its_own(self):
        """Though all of it lies in the machine's."""
        tree = self.make("tree", {"file": "shared"})
        for name in folders_on_disk():
            self.make(f"private/{name}", {})
        private = Private(os.path.join(self.top, "private"), [self.task], plain=True)
        self.assertEqual(self.seen(lambda: read("file"), self.view([], tree), private=private), "shared")


class ReadOnlyTests(ViewCase):
    """What the run cannot change at all."""

    def refused(self, view: View) -> str:
        def change() -> object:
            try:
                write("here/file", "changed")
            except OSError as error:
                return error.strerror, read("here/file"), os.stat("here/file").st_uid
            return "changed"

        self.make("task/here", {}, SEEN)
        return self.seen(change, view)

    def test_one(self):
        tree = self.make("tree", {"file": "shared"})
        answer = str(("Read-only file system", "shared", SEEN[0]))
        self.assertEqual(self.refused(self.view(["here"], tree, read_only=True)), answer)

    def test_two(self):
        trees = self.make("upper", {"file": "upper"}), self.make("lower", {"file": "lower"})
        answer = str(("Read-only file system", "upper", SEEN[0]))
        self.assertEqual(self.refused(self.view(["here"], *trees, read_only=True)), answer)


class RightsTests(ViewCase):
    """Whether a file can give its owner's rights to who runs it, or be a device."""

    def withheld(self, plain: bool) -> list[int]:
        """What is, of all kinds of views."""
        for name in ("over", "still", "stills", "cache"):
            self.make(f"task/{name}", {}, ON_DISK if name == "cache" else SEEN)
        trees = self.make("a", {}), self.make("b", {})
        still = [self.view(["still"], trees[0], read_only=True), self.view(["stills"], *trees, read_only=True)]
        cache = View(Place(self.task, ["cache"]), [], Place(self.task, ["cache"]), None, mapped=True)
        views = [self.view(["over"], trees[0]), *still, cache]

        def look() -> object:
            assert Namespace().enter(None, Views(views, SEEN, plain))
            flags = [os.statvfs(view.target.path).f_flag for view in views]
            return [flag & (os.ST_NOSUID | os.ST_NODEV) for flag in flags]

        return [int(flags) for flags in in_child(look).strip("[]").split(",")]

    def test_of_a_task_with_a_user(self):
        self.assertEqual(self.withheld(plain=True), [os.ST_NOSUID | os.ST_NODEV] * 4)

    def test_of_a_task_with_the_workers_rights(self):
        """It sees what it would see there."""
        plainly = os.statvfs(self.top).f_flag & (os.ST_NOSUID | os.ST_NODEV)
        self.assertEqual(self.withheld(plain=False), [0, plainly, 0, plainly])


class RefusalTests(ViewCase):
    """What cannot be shown."""

    def test_no_link_is_followed(self):
        tree = self.make("tree", {"file": "shared"})
        os.symlink("/etc", os.path.join(self.task, "link"))
        views = Views([self.view(["link"], tree)], SEEN, plain=True)
        self.assertIn("CannotShow", in_child(lambda: Namespace().enter(None, views)))

    def test_whether_the_next_run_need_not_try(self):
        """A kernel that does not know how will not learn it; what one task alone wants is no matter of the others."""
        self.make("task/here", {}, SEEN)
        tree = self.make("tree", {"file": "shared"})
        here, missing = self.view(["here"], tree), self.view(["missing"], tree)
        refused = here._replace(work=os.path.join(self.task, "here"))
        other_disk, many = here._replace(work="/dev/shm"), here._replace(layers=here.layers * 300)

        def lasting(view: View) -> object:
            try:
                Namespace().enter(None, Views([view], SEEN, plain=True))
            except CannotShow as error:
                return error.lasting
            return "shown"

        said = [in_child(lambda v=view: lasting(v)) for view in (refused, missing, other_disk, many)]
        self.assertEqual(said, ["True", "False", "False", "False"])

    def test_all_is_as_before_then(self):
        tree = self.make("tree", {"file": "shared"})
        self.make("task/here", {}, SEEN)
        views = [self.view(["here"], tree), self.view(["missing"], tree)]

        def look() -> object:
            try:
                Namespace().enter(None, Views(views, SEEN, plain=True))
            except CannotShow:
                return os.listdir(os.path.join(self.task, "here"))
            return "shown"

        self.assertEqual(in_child(look), "[]")

    def test_nothing_of_it_is_left_open(self):
        tree = self.make("tree", {"file": "shared"})
        view = self.view([], tree)

        def open_files() -> int:
            before = len(os.listdir("/proc/self/fd"))
            mounts = Namespace()
            mounts.enter(None, Views([view], SEEN, plain=True))
            mounts.leave()
            return len(os.listdir("/proc/self/fd")) - before

        self.assertEqual(in_child(open_files), "0")
