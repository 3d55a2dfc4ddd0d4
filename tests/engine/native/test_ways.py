"""Ways into folders that somebody else can change."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.ways import InTheWay, check_free, merge, way
from tests.surroundings import only_root


class WayCase(SynchronousTestCase):
    """With a folder."""

    def setUp(self):
        self.top = os.path.abspath(self.mktemp())
        os.mkdir(self.top)

    def make(self, path: str, text: str | None = None) -> str:
        """A folder, or a file with a text."""
        place = os.path.join(self.top, path)
        os.makedirs(place if text is None else os.path.dirname(place), exist_ok=True)
        if text is not None:
            with open(place, "w") as file:
                file.write(text)
        return place

    def read(self, path: str) -> str:
        with open(os.path.join(self.top, path)) as file:
            return file.read()


class WayTests(WayCase):
    """To a folder."""

    def test_one_that_is_there(self):
        self.make("a/b/file", "")
        with way(self.top, ("a", "b")) as folder:
            self.assertEqual(os.listdir(folder), ["file"])

    def test_one_that_is_not(self):
        with self.assertRaises(FileNotFoundError), way(self.top, ("a", "b")):
            pass

    def test_one_that_is_made(self):
        with way(self.top, ("a", "b"), make=True):
            pass
        self.assertTrue(os.path.isdir(os.path.join(self.top, "a", "b")))

    def test_whose_it_is_then(self):
        only_root()
        self.make("a")
        with way(self.top, ("a", "b", "c"), (39301, 39302), make=True):
            pass
        owners = [os.stat(os.path.join(self.top, path)).st_uid for path in ("a", "a/b", "a/b/c")]
        self.assertEqual(owners, [os.geteuid(), 39301, 39301])
        self.assertEqual(os.stat(os.path.join(self.top, "a/b")).st_gid, 39302)

    def test_links_lead_nowhere(self):
        outside = os.path.abspath(self.mktemp())
        os.mkdir(outside)
        os.symlink(outside, os.path.join(self.top, "link"))
        for parts in (("link",), ("link", "new")):
            with self.assertRaises(InTheWay) as caught, way(self.top, parts, make=True):
                pass
            self.assertIn("link", str(caught.exception))
        self.assertEqual(os.listdir(outside), [])

    def test_files_are_no_folders(self):
        self.make("a/file", "")
        with self.assertRaises(InTheWay) as caught, way(self.top, ("a", "file", "b"), make=True):
            pass
        self.assertIn("a/file", str(caught.exception))

    def test_nothing_stays_open(self):
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        self.make("a/file", "")
        for parts in (("a",), ("a", "file"), ("a", "missing")):
            try:
                with way(self.top, parts):
                    pass
            except (InTheWay, FileNotFoundError):
                pass
        self.assertEqual(len(os.listdir("/proc/self/fd")) if before else 0, before)


class FreeTests(WayCase):
    """Whether something can come somewhere."""

    def refused(self, path: str, for_file: bool) -> bool:
        try:
            check_free(self.top, path.split("/"), for_file)
        except InTheWay as error:
            self.assertTrue(path.startswith(str(error).split(" ")[0]))
            return True
        return False

    def test_a_file(self):
        self.make("file", "")
        self.make("folder")
        self.assertEqual([self.refused(path, True) for path in ("file", "folder", "none", "no/ne")], [0, 1, 0, 0])

    def test_a_folder(self):
        self.make("file", "")
        self.make("empty")
        self.make("full/file", "")
        self.assertEqual([self.refused(path, False) for path in ("file", "empty", "full", "none")], [1, 0, 1, 0])

    def test_behind_a_file(self):
        self.make("file", "")
        self.assertTrue(self.refused("file/x", True))


class MergeTests(WayCase):
    """A folder into another one."""

    def merge(self) -> None:
        with way(self.top, ("from",)) as source, way(self.top, ("to",)) as target:
            merge(source, target)

    def test_folders_become_one(self):
        self.make("from/d/a", "new")
        self.make("to/d/b", "old")
        self.merge()
        self.assertEqual(sorted(os.listdir(os.path.join(self.top, "to/d"))), ["a", "b"])

    def test_what_comes_counts(self):
        self.make("from/file", "new")
        self.make("to/file", "old")
        self.make("from/folder/x", "new")
        self.make("to/folder", "old")
        self.merge()
        self.assertEqual((self.read("to/file"), self.read("to/folder/x")), ("new", "new"))

    def test_a_folder_that_was_put_where_a_link_is(self):
        """Nothing is written to where that leads."""
        outside = self.make("outside")
        self.make("from/d/a", "new")
        self.make("to")
        os.symlink(outside, os.path.join(self.top, "to/d"))
        self.merge()
        self.assertEqual(os.listdir(outside), [])
        self.assertEqual(self.read("to/d/a"), "new")
