"""Removing what a stranger left."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker import removal
from tcworker.removal import remove
from tests.surroundings import only_root

NOBODY = 65534


class Folders(SynchronousTestCase):
    """Tests in a folder of their own."""

    def setUp(self) -> None:
        self.parent = tempfile.mkdtemp(prefix="tcworker-removal-")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.parent], check=True)
        os.chmod(self.parent, 0o777)
        self.top = os.path.join(self.parent, "top")

    def make(self, *paths: str) -> None:
        """Make files, and folders where a path ends in a slash."""
        for path in paths:
            place = Path(self.top, path)
            (place if path.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
            if not path.endswith("/"):
                place.touch()

    def make_deep(self, depth: int, name: str = "d") -> None:
        """One folder in the other; as a whole too long for a path."""
        os.makedirs(self.top, exist_ok=True)
        folder = os.open(self.top, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=folder)
            deeper = os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = deeper
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.close(folder)

    def assert_gone(self) -> None:
        self.assertEqual(os.listdir(self.parent), [])


class Stopping(Folders):
    """A removal that would take long, when the worker ends."""

    def test_it_goes_on_as_long_as_it_is_wanted(self) -> None:
        self.make("a/1", "a/2", "b/1", "b/2")
        left = iter([True, True, True, False])
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        self.assertRaises(removal.Unwanted, remove, self.top, wanted=lambda: next(left))
        self.assertTrue(os.path.isdir(self.top))
        if before:
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        remove(self.top)
        self.assert_gone()


class RemoveTests(Folders):
    """What can go."""

    def test_what_is_not_there(self):
        remove(self.top)

    def test_somebody_fills_it_meanwhile(self):
        """Faster than it could be emptied, were it still open to him."""
        only_root()
        self.make("open/file")
        os.chmod(os.path.join(self.top, "open"), 0o777)
        script = "print qq(here\n); close STDOUT; for (my $n = 0; ; $n++) { open(my $f, '>', $n) }"
        where = os.path.join(self.top, "open")
        feeder = subprocess.Popen(["perl", "-e", script], user=NOBODY, cwd=where, stdout=subprocess.PIPE)
        self.addCleanup(feeder.wait)
        self.addCleanup(feeder.kill)
        assert feeder.stdout is not None
        with feeder.stdout:
            feeder.stdout.readline()
        remove(self.top)
        self.assert_gone()
        self.assertIsNone(feeder.poll())

    def test_what_root_made_immutable(self):
        """A task that runs as root may have."""
        self.make("a/file", "b/empty/", "c/log")
        frozen = subprocess.run(["chattr", "+i", "a/file", "a", "b/empty", "."], cwd=self.top, capture_output=True)
        appending = subprocess.run(["chattr", "+a", "c/log", "c"], cwd=self.top, capture_output=True)
        if frozen.returncode or appending.returncode:
            self.addCleanup(subprocess.run, ["chattr", "-R", "-i", "-a", self.top], capture_output=True)
            raise SkipTest("only root can, and not on every file system")
        remove(self.top)
        self.assert_gone()

    def test_a_file(self):
        Path(self.top).touch()
        remove(self.top)
        self.assert_gone()

    def test_a_tree(self):
        self.make("a/b/c/file", "a/b/other", "a/.hidden", "empty/", "file")
        remove(self.top)
        self.assert_gone()

    def test_names_that_are_no_text(self):
        self.make("a/")
        os.makedirs(os.fsencode(self.top) + b"/a/\xff\n/\xfe")
        remove(self.top)
        self.assert_gone()

    def test_special_files(self):
        self.make("a/")
        os.mkfifo(os.path.join(self.top, "a", "fifo"))
        remove(self.top)
        self.assert_gone()

    def test_deeper_than_anybody_recurses(self):
        self.make_deep(3000)
        remove(self.top)
        self.assert_gone()

    def test_longer_than_a_path_may_be(self):
        self.make_deep(100, "n" * 250)
        remove(self.top)
        self.assert_gone()

    def test_deep_in_several_places(self):
        for _ in range(3):
            self.make_deep(300)
            os.rename(os.path.join(self.top, "d"), os.path.join(self.top, f"e{len(os.listdir(self.top))}"))
        remove(self.top)
        self.assert_gone()

    def test_few_descriptors_are_open(self):
        """A task may have made more levels than there are descriptors."""
        opened, closed = os.open, os.close
        now = most = 0

        def count_one(*args, **kwargs):
            nonlocal now, most
            descriptor = opened(*args, **kwargs)
            now += 1
            most = max(most, now)
            return descriptor

        def count_one_less(descriptor):
            nonlocal now
            closed(descriptor)
            now -= 1

        self.make_deep(200)
        self.patch(os, "open", count_one)
        self.patch(os, "close", count_one_less)
        remove(self.top)
        self.assertEqual(now, 0)
        self.assertLess(most, 8)
        self.assert_gone()

    def test_memory_does_not_grow_with_the_entries(self):
        self.make("a/")
        for number in range(5000):
            os.mkdir(os.path.join(self.top, f"folder-with-a-long-name-{number}"))
            self.make(f"a/{number}")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        remove(self.top)
        self.assertLess(tracemalloc.get_traced_memory()[1], 100_000)
        self.assert_gone()

    def test_a_listing_that_shows_what_came_later(self):
        """Folders that were just lifted are not lifted again: that would never end."""
        self.make(*(f"{number}/file" for number in range(2000)))
        remove(self.top)
        self.assert_gone()


class LinkTests(Folders):
    """Nothing outside is touched."""

    def setUp(self):
        super().setUp()
        self.outside = tempfile.mkdtemp(prefix="tcworker-outside-")
        self.addCleanup(shutil.rmtree, self.outside)
        Path(self.outside, "precious").touch()

    def assert_untouched(self) -> None:
        self.assertEqual(os.listdir(self.outside), ["precious"])

    def test_links_are_not_followed(self):
        self.make("a/b/")
        for place in ("link", "a/link", "a/b/link"):
            os.symlink(self.outside, os.path.join(self.top, place))
        remove(self.top)
        self.assert_gone()
        self.assert_untouched()

    def test_a_path_that_is_a_link(self):
        os.symlink(self.outside, self.top)
        remove(self.top)
        self.assert_gone()
        self.assert_untouched()

    def test_a_link_swapped_in_meanwhile(self):
        """By a process that still lives, between our look and our step."""
        self.make("a/b/file")
        lifted = removal._Removal._lift

        def lift(one, folder, name):
            lifted(one, folder, name)
            place = os.path.join(self.top, f"{one._prefix}{one._lifted - 1}")
            os.rename(place, os.path.join(self.top, "away"))
            os.symlink(self.outside, place)
            self.patch(removal._Removal, "_lift", lifted)

        self.patch(removal._Removal, "_lift", lift)
        remove(self.top)
        self.assert_gone()
        self.assert_untouched()

    def test_what_is_mounted_is_not_entered(self):
        self.make("a/b/mounted/", "a/file")
        point = os.path.join(self.top, "a/b/mounted")
        if subprocess.run(["mount", "--bind", self.outside, point], capture_output=True, check=False).returncode:
            raise SkipTest("nothing can be mounted here")
        mounted = [point]
        self.addCleanup(lambda: [subprocess.run(["umount", place], check=True) for place in mounted])
        error = self.assertRaises(OSError, remove, self.top)
        mounted[:] = [error.filename]
        self.assertEqual((error.errno, os.path.basename(error.filename)), (errno.EBUSY, "mounted"))
        self.assert_untouched()
        self.assertFalse(os.path.exists(os.path.join(self.top, "a/file")))


class ClosedTests(Folders):
    """Folders and rights."""

    def as_nobody(self, setup: str) -> subprocess.CompletedProcess[str]:
        """Make something and remove it, as a user who is not root; C{setup} runs in the folder."""
        os.makedirs(self.top, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.top, NOBODY, NOBODY)
        script = f"""
import os, sys
if os.geteuid() == 0:
    os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
os.chdir({self.top!r})
{setup}
os.chdir("/")
try:
    remove({self.top!r})
except OSError as error:
    sys.exit(repr(error) + " " + error.filename)
"""
        # The user may be unable to read our modules once it is another one.
        script = "from tcworker.removal import remove\n" + script
        root = os.path.dirname(os.path.dirname(removal.__file__))
        return subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)

    def test_folders_that_are_closed_to_their_owner(self):
        ended = self.as_nobody(
            """
os.makedirs("a/b/c"); os.makedirs("a/r/s"); os.makedirs("empty")
for mode, place in ((0, "a/b/c"), (0o500, "a/r/s"), (0o100, "a/b"), (0o500, "a/r"), (0, "a"), (0, "empty"), (0, ".")):
    if place not in (".", "empty"): open(place + "/file", "w").close()
    os.chmod(place, mode)
"""
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assert_gone()

    def test_closed_folders_for_root(self):
        self.make("a/b/file")
        for place in ("a/b", "a", "."):
            os.chmod(os.path.join(self.top, place), 0)
        remove(self.top)
        self.assert_gone()

    def test_empty_folder_of_somebody_else(self):
        self.need_root()
        self.make("a/", "foreign/")
        ended = self.as_nobody("pass")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assert_gone()

    def test_what_cannot_go(self):
        """It is named, and all else is gone."""
        self.need_root()
        self.make("foreign/file", "a/b/c", "z")
        os.chown(os.path.join(self.top, "a"), NOBODY, NOBODY)
        os.chown(os.path.join(self.top, "a/b"), NOBODY, NOBODY)
        ended = self.as_nobody("pass")
        (left,) = os.listdir(self.top)
        self.assertEqual(os.listdir(os.path.join(self.top, left)), ["file"])
        self.assertIn(f"PermissionError(13, 'Permission denied') {self.top}/{left}/file", ended.stderr)

    def test_error_has_the_path(self):
        self.make("a/file", "z")
        unlink = os.unlink

        def refuse(name, **kwargs):
            if name == "file":
                raise OSError(errno.EIO, "Input/output error", name)
            unlink(name, **kwargs)

        self.patch(os, "unlink", refuse)
        error = self.assertRaises(OSError, remove, self.top)
        self.assertEqual((error.errno, os.path.basename(error.filename)), (errno.EIO, "file"))
        self.assertTrue(os.path.exists(error.filename))
        self.assertFalse(os.path.exists(os.path.join(self.top, "z")))

    def test_what_could_not_go_at_first(self):
        """A disk that is full has no room for a folder that is lifted, until something is gone."""
        self.make("a/b/file", "z")
        rename = os.rename
        full = [True, True]

        def refuse(*args, **kwargs):
            if full:
                full.pop()
                raise OSError(errno.ENOSPC, "No space left on device")
            rename(*args, **kwargs)

        self.patch(os, "rename", refuse)
        remove(self.top)
        self.assert_gone()

    def need_root(self) -> None:
        only_root()
