"""What a server that was killed leaves in the folder for temporary files."""

from __future__ import annotations

import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tcworker import folder_lock
from tcworker.server import temporary


class Left(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(tempfile, "tempdir", os.path.abspath(self.mktemp()))
        os.mkdir(tempfile.gettempdir())

    def server(self) -> tuple[str, int]:
        """Let there be a server; gives its folder and what holds it."""
        folder = temporary.make()
        with open(os.path.join(folder, "access-token"), "w") as file:
            file.write("secret")
        return folder, folder_lock.take(folder)

    def dead(self) -> str:
        folder, lock = self.server()
        os.close(lock)
        return folder

    def stays(self, *folders: str) -> None:
        temporary.remove_left()
        names = sorted(os.path.basename(folder) for folder in folders)
        self.assertEqual(sorted(os.listdir(tempfile.gettempdir())), names)

    def test_of_the_dead_goes_and_of_the_living_stays(self) -> None:
        self.dead()
        living, lock = self.server()
        self.addCleanup(os.close, lock)
        self.stays(living)
        self.assertEqual(sorted(os.listdir(living)), ["access-token", "lock"])

    def test_of_one_that_has_just_begun_stays(self) -> None:
        folder = temporary.make()
        self.stays(folder)
        open(os.path.join(folder, "lock"), "w").close()
        self.stays(folder)

    def test_what_others_could_have_put_there_stays(self) -> None:
        opened, target = self.dead(), self.dead()
        os.chmod(opened, 0o755)
        elsewhere = os.path.join(tempfile.gettempdir(), "elsewhere")
        os.rename(target, elsewhere)
        link = os.path.join(tempfile.gettempdir(), f"{temporary.PREFIX}link")
        os.symlink(elsewhere, link)
        file = os.path.join(tempfile.gettempdir(), f"{temporary.PREFIX}file")
        open(file, "w").close()
        self.stays(opened, elsewhere, link, file)
        self.assertIn("access-token", os.listdir(elsewhere))

    def test_of_another_user_stays(self) -> None:
        folder = self.dead()
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        self.stays(folder)

    def test_links_out_of_it_are_not_followed(self) -> None:
        folder, kept = self.dead(), os.path.abspath(self.mktemp())
        os.mkdir(kept)
        open(os.path.join(kept, "file"), "w").close()
        os.symlink(kept, os.path.join(folder, "link"))
        self.stays()
        self.assertEqual(os.listdir(kept), ["file"])
