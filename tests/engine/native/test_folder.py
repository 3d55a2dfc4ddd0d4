"""Folders of tasks: whose they are, and what becomes of those that nobody has any more."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tcworker.engine.native import folder, hold
from tcworker.engine.native.folder import (
    UNDELETABLE,
    left_in,
    remove_aside,
    remove_folder,
    remove_left,
    remove_unmarked,
    set_aside_in,
    unmarked_in,
)
from tests.engine.native.folder_case import FolderCase
from tests.engine.native.harness import exists, names_in, touch


def refuse(path: str) -> None:
    """Stands for a removal that does not succeed."""
    raise OSError(errno.EBUSY, "Device or resource busy", f"{path}/mounted")


class MakeTests(FolderCase):
    """A folder for a run."""

    def test_only_its_user_may_enter(self):
        path = self.make()
        self.assertEqual(path, os.path.join(self.parent, "task_fN1SbArXTPSVF_0"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)

    def test_a_name_that_is_taken(self):
        self.assertEqual(os.path.basename(self.make()) + "-2", os.path.basename(self.make()))

    def test_where_there_are_no_marks(self):
        """Then it is not known as ours to anybody, and nothing is kept open."""
        self.patch(hold, "_set_mark", lambda descriptor: False)
        path = self.make()
        self.assertNotIn(path, hold._held)
        remove_folder(path)
        self.assertEqual(names_in(self.parent), [])


class RemoveTests(FolderCase):
    """The end of a folder."""

    def test_no_descriptor_is_left(self):
        before = os.listdir("/proc/self/fd")
        path = self.make()
        remove_folder(path)
        remove_folder(path)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        self.assertEqual(names_in(self.parent), [])

    def test_a_task_that_nested_folders(self):
        """More of them than Python recurses into."""
        path = self.make()
        script = "import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')"
        subprocess.run([sys.executable, "-c", script], cwd=path, check=True)
        remove_folder(path)
        self.assertEqual(names_in(self.parent), [])

    def test_what_cannot_go_is_moved_aside(self):
        path = self.make()
        touch(path, "file")
        self.patch(folder, "remove", refuse)
        error = self.assertRaises(OSError, remove_folder, path)
        (moved,) = names_in(os.path.join(self.parent, UNDELETABLE))
        self.assertTrue(moved.startswith("task_fN1SbArXTPSVF_0."))
        self.assertIn(moved, str(error))
        self.assertIn("mounted", str(error))
        self.assertFalse(exists(path))
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.parent, UNDELETABLE)).st_mode), 0o700)

    def test_two_of_one_name_that_cannot_go(self):
        self.patch(folder, "remove", refuse)
        for _ in range(2):
            path = self.make()
            touch(path, "file")
            self.assertRaises(OSError, remove_folder, path)
        self.assertEqual(len(names_in(os.path.join(self.parent, UNDELETABLE))), 2)

    def test_what_cannot_be_moved_either(self):
        """It is left where it is, and found at the next start."""
        path = self.make()
        touch(self.parent, UNDELETABLE)
        self.patch(folder, "remove", refuse)
        error = self.assertRaises(OSError, remove_folder, path)
        self.assertIn("cannot be moved", str(error))
        self.assertEqual(left_in(self.parent), [path])


class WithMarks(FolderCase):
    """Tests that need a file system with locks and marks."""

    def setUp(self) -> None:
        super().setUp()
        probe = self.make("probe")
        if probe not in hold._held:
            raise SkipTest("this file system has no locks or no extended attributes")
        remove_folder(probe)


class LeftTests(WithMarks):
    """What dead workers left."""

    def test_nothing(self):
        self.assertEqual(left_in(self.parent), [])
        self.assertEqual(left_in("/no/such/folder"), [])

    def test_a_folder_whose_worker_is_dead(self):
        path = self.make_left()
        touch(path, "file")
        self.assertEqual(left_in(self.parent), [path])
        remove_left(path)
        self.assertEqual(names_in(self.parent), [])

    def test_a_folder_of_a_living_worker(self):
        path, _ = self.make_elsewhere()
        self.assertTrue(hold.held_by_another(path))
        self.assertEqual(left_in(self.parent), [])
        remove_left(path)
        self.assertTrue(exists(path))

    def test_a_folder_of_our_own(self):
        path = self.make()
        self.assertEqual(left_in(self.parent), [])
        remove_left(path)
        self.assertTrue(exists(path))

    def test_a_folder_that_somebody_has_made_meanwhile(self):
        path = self.make_left()
        self.assertEqual(left_in(self.parent), [path])
        remove_left(path)
        self.assertEqual(self.make(), path)
        remove_left(path)
        self.assertTrue(exists(path))

    def test_what_is_not_ours(self):
        """Another version's, another program's, and a link to somewhere."""
        os.mkdir(os.path.join(self.parent, "task_other_0"))
        os.mkdir(os.path.join(self.parent, "precious"))
        left = self.make_left()
        os.rename(left, os.path.join(self.parent, "renamed"))
        os.symlink("renamed", os.path.join(self.parent, "task_link_0"))
        self.assertEqual(left_in(self.parent), [])

    def test_what_could_not_go_before(self):
        aside = os.path.join(self.parent, UNDELETABLE)
        paths = [os.path.join(aside, name) for name in ("task_a_0.1", "task_b_0.2")]
        for path in paths:
            Path(path, "deep").mkdir(parents=True)
        self.assertEqual((left_in(self.parent), set_aside_in(self.parent)), ([], paths))
        remove_aside(paths[0])
        self.assertEqual(names_in(aside), ["task_b_0.2"])
        remove_aside(paths[1])
        self.assertEqual(names_in(self.parent), [])

    def test_what_still_cannot_go(self):
        path = os.path.join(self.parent, UNDELETABLE, "task_a_0.1")
        os.makedirs(path)
        self.patch(folder, "remove", refuse)
        self.assertRaises(OSError, remove_aside, path)
        self.assertEqual(set_aside_in(self.parent), [path])


class UnmarkedTests(WithMarks):
    """Folders whose worker died, or not, as soon as it had made them."""

    def make_bare(self, name: str = "task_a_0") -> str:
        path = os.path.join(self.parent, name)
        os.mkdir(path, 0o700)
        return path

    def found(self) -> list[str]:
        return [left.path for left in unmarked_in(self.parent)]

    def look(self) -> hold.Unmarked:
        """Find the only one, and wait until what happens now has another time for this file system than before."""
        (left,) = unmarked_in(self.parent)
        probe = os.path.join(self.parent, "probe")
        touch(self.parent, "probe")
        while os.stat(probe).st_ctime_ns <= left.seen[-1]:
            os.chmod(probe, 0o600)
        os.unlink(probe)
        return left

    def test_one_that_stays_as_it_is_goes(self):
        path = self.make_bare()
        left = self.look()
        self.assertEqual(left.path, path)
        remove_unmarked(left)
        self.assertEqual(names_in(self.parent), [])

    def test_looking_disturbs_nobody_who_is_about_to_hold_it(self):
        path = self.make_bare()
        left = self.look()
        hold.hold(path)
        self.assertIn(path, hold._held)
        self.assertEqual(self.found(), [])
        hold.let_go(path)
        remove_unmarked(left)
        self.assertTrue(exists(path), "it has a mark now, and is another matter")

    def test_one_whose_worker_has_locked_it_and_is_about_to_mark_it_stays(self):
        set_mark = hold._set_mark
        self.patch(hold, "_set_mark", lambda descriptor: True)
        path = self.make()
        self.patch(hold, "_set_mark", set_mark)
        # As another process sees it.
        self.patch(hold, "_held", {})
        left = self.look()
        remove_unmarked(left)
        self.assertTrue(exists(path))

    def test_one_that_was_used_meanwhile_stays(self):
        path = self.make_bare()
        left = self.look()
        touch(path, "file")
        os.unlink(os.path.join(path, "file"))
        remove_unmarked(left)
        self.assertTrue(exists(path))

    def test_another_one_of_its_name_stays(self):
        path = self.make_bare()
        left = self.look()
        os.rmdir(path)
        self.make_bare()
        remove_unmarked(left)
        self.assertTrue(exists(path))

    def test_what_no_worker_makes(self):
        """With something in it, open to others, of another user, of another name."""
        touch(self.make_bare("task_full_0"), "file")
        os.chmod(self.make_bare("task_open_0"), 0o750)
        self.make_bare("precious")
        if os.geteuid() == 0:
            os.chown(self.make_bare("task_foreign_0"), 4711, 4711)
        self.assertEqual(self.found(), [])

    def test_where_there_are_no_marks(self):
        """It may be that of a task that runs."""
        path = self.make_bare()
        self.patch(hold, "_set_mark", lambda descriptor: False)
        left = self.look()
        before = os.listdir("/proc/self/fd")
        remove_unmarked(left)
        self.assertTrue(exists(path))
        self.assertEqual(os.listdir("/proc/self/fd"), before)
