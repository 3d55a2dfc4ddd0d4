"""The folder that a server has to itself."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.database_file import CHECKS, DataUnusable
from tcworker.embedded.folder import DataFolder


class Made(SynchronousTestCase):
    def setUp(self) -> None:
        # A name that is also a pattern.
        self.path = os.path.join(self.mktemp(), "[a]*")
        self.folder = DataFolder(self.path)
        self.addCleanup(self.folder.take())
        self.folder.make()

    def test_is_one_servers_at_a_time(self) -> None:
        self.assertIn("is in use by process", str(self.assertRaises(DataUnusable, DataFolder(self.path).take)))

    def test_uploads_that_were_not_finished_go_and_what_is_no_upload_stays(self) -> None:
        os.mkdir(os.path.join(self.folder.uploads, "folder"))
        os.symlink("nowhere", os.path.join(self.folder.uploads, "link"))
        open(os.path.join(self.folder.uploads, "upload"), "w").close()
        self.folder.make()
        self.assertEqual(os.listdir(self.folder.uploads), ["folder"])

    def test_checks_that_were_not_finished_go(self) -> None:
        kept = os.path.abspath(self.mktemp())
        os.mkdir(kept)
        for name in ("1", "2"):
            os.mkdir(os.path.join(self.path, f"{CHECKS}{name}"))
            open(os.path.join(self.path, f"{CHECKS}{name}", "database"), "w").close()
        os.symlink(kept, os.path.join(self.path, f"{CHECKS}link"))
        self.folder.make()
        self.assertEqual(sorted(os.listdir(self.path)), ["artifacts", f"{CHECKS}link", "lock", "uploads"])
