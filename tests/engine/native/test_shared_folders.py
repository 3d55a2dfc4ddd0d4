"""Files of a user in folders that everybody may write to."""

from __future__ import annotations

import os

from tcworker.engine.native.shared_folders import remove_files
from tests.engine.native.nobodys import UID, NobodysCase


class SharedFoldersTests(NobodysCase):
    """In one of the test's own."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def make(self, *names: str) -> None:
        for name in names:
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.join(path, "er"), 0o500)
            os.chown(path, UID, UID)

    def test_what_is_its_own_goes(self):
        self.make("deep")
        for name in ("file", "mine"):
            open(os.path.join(self.folder, name), "w").close()
        os.chown(os.path.join(self.folder, "file"), UID, UID)
        os.symlink("/", os.path.join(self.folder, "link"))
        os.lchown(os.path.join(self.folder, "link"), UID, UID)
        remove_files(UID, [self.folder, "/no/such/folder"])
        self.assertEqual(os.listdir(self.folder), ["mine"])

    def test_a_link_in_place_of_a_folder_is_not_followed(self):
        self.make("deep")
        link = f"{self.folder}-link"
        os.symlink(self.folder, link)
        remove_files(UID, [link])
        self.assertEqual(os.listdir(self.folder), ["deep"])

    def test_a_folder_of_somebody_else_is_left_alone(self):
        """It may be a link to anywhere in a moment."""
        self.make("deep")
        os.chown(self.folder, UID, UID)
        remove_files(UID, [self.folder])
        self.assertEqual(os.listdir(self.folder), ["deep"])
