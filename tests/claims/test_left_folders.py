"""Folders of runs that nobody knows any more."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.claims import left_folders
from tcworker.claims.left_folders import remove_unknown


class RemoveUnknown(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()

    def make(self, *names: str) -> None:
        for name in names:
            os.makedirs(os.path.join(self.folder, name, "deep"))

    def remove_but(self, *names: str) -> None:
        remove_unknown(self.folder, {os.path.join(self.folder, name) for name in names})

    def test_those_that_are_known_stay(self) -> None:
        self.make("a-0", "a-1", "b-0")
        self.remove_but("a-1", "c-0")
        self.assertEqual(os.listdir(self.folder), ["a-1"])

    def test_files_and_links_go_as_well(self) -> None:
        self.make("a-0")
        os.symlink("a-0", os.path.join(self.folder, "link"))
        with open(os.path.join(self.folder, "file"), "w"):
            pass
        self.remove_but("a-0")
        self.assertEqual(os.listdir(self.folder), ["a-0"])

    def test_before_the_first_run_there_is_no_folder(self) -> None:
        self.remove_but()

    def test_one_that_does_not_go_keeps_no_other(self) -> None:
        self.make("a-0", "b-0")
        remove = left_folders.remove

        def refuse(path: str) -> None:
            if path.endswith("a-0"):
                raise OSError(16, "Device or resource busy", path)
            remove(path)

        self.patch(left_folders, "remove", refuse)
        self.remove_but()
        self.assertEqual(os.listdir(self.folder), ["a-0"])
