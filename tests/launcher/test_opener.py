"""Opening what a task left."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher.opener import Fault, check_folder, open_file, walk


class OpenerTests(SynchronousTestCase):
    """In a folder of the test's own."""

    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def make(self, *names: str) -> None:
        for name in names:
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w"):
                pass

    def walked(self) -> list[str]:
        """The paths, with what is wrong with them."""
        found = []
        for entry, descriptors in walk(self.folder):
            found.append(entry["path"] + (f" {entry['fault']}" if "fault" in entry else ""))
            for descriptor in descriptors:
                os.close(descriptor)
        return found

    def fault(self, call, name: str) -> str:
        with self.assertRaises(Fault) as caught:
            call(os.path.join(self.folder, name))
        return caught.exception.kind

    def open(self, path: str) -> int:
        return open_file(path, path)

    def test_sorted_as_whole_paths(self):
        self.make("a/x", "a-b", "a.c", "ab/y", "a/b/c", "B")
        self.assertEqual(self.walked(), sorted(["a/x", "a-b", "a.c", "ab/y", "a/b/c", "B"]))

    def test_links_to_files_are_followed_and_those_to_folders_are_not(self):
        self.make("a/x")
        os.symlink("a", os.path.join(self.folder, "folder"))
        os.symlink("a/x", os.path.join(self.folder, "file"))
        os.symlink("nowhere", os.path.join(self.folder, "loose"))
        self.assertEqual(self.walked(), ["a/x", "file", "folder kind", "loose missing"])

    def test_names_that_are_no_text(self):
        self.make("\udcff")
        self.assertEqual(self.walked(), ["\udcff"])

    def test_pipes_are_not_waited_for(self):
        os.mkfifo(os.path.join(self.folder, "pipe"))
        self.assertEqual(self.fault(self.open, "pipe"), "kind")
        self.assertEqual(self.walked(), ["pipe kind"])

    def test_faults(self):
        self.make("a/x")
        os.symlink("circle", os.path.join(self.folder, "circle"))
        kinds = {"": "kind", "a": "kind", "no": "missing", "a/x/y": "missing", "circle": "missing", "\0": "missing"}
        for name, kind in kinds.items():
            self.assertEqual(self.fault(self.open, name), kind, name)
        self.assertEqual(self.fault(check_folder, "a/x"), "kind")
        self.assertEqual(self.fault(check_folder, "no"), "missing")
        self.assertEqual(self.fault(self.open, "x" * 5000), "missing")
