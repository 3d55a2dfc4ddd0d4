"""How much of a disk a folder takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from subprocess import Popen

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.cache.disk_use import disk_use
from tcworker.removal import remove
from tests.integration.processes import ROOT
from tests.surroundings import only_root


class Measuring(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(os.path.abspath(self.mktemp()))
        self.folder.mkdir()
        self.addCleanup(remove, str(self.folder))

    def fill(self, path: Path, megabytes: int = 1) -> None:
        path.write_bytes(os.urandom(megabytes << 20))

    def megabytes(self) -> float:
        return round(disk_use(str(self.folder)) / (1 << 20), 1)

    def test_nothing_is_there(self) -> None:
        self.folder.rmdir()
        self.assertEqual(disk_use(str(self.folder)), 0)

    def test_all_files_count(self) -> None:
        (self.folder / "sub").mkdir()
        self.fill(self.folder / "one")
        self.fill(self.folder / "sub" / "two", 2)
        self.assertEqual(self.megabytes(), 3.0)

    def test_one_with_two_names_counts_once(self) -> None:
        self.fill(self.folder / "one")
        os.link(self.folder / "one", self.folder / "two")
        self.assertEqual(self.megabytes(), 1.0)

    def test_links_are_not_followed(self) -> None:
        self.fill(self.folder.parent / "elsewhere", 3)
        os.symlink("../elsewhere", self.folder / "link")
        self.assertEqual(self.megabytes(), 0.0)

    def test_what_is_mounted_in_it_does_not_count(self) -> None:
        only_root()
        script = 'mount -t tmpfs none "$1" && head -c 3M /dev/urandom > "$1/file" && exec "$2" -c "$3" "$4"'
        measures = "import sys; from tcworker.cache.disk_use import disk_use; print(disk_use(sys.argv[1]))"
        mounted = self.folder / "mounted"
        mounted.mkdir()
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
        arguments = [str(mounted), sys.executable, measures, str(self.folder)]
        done = subprocess.run([*unshare, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
        if "Operation not permitted" in done.stderr:
            raise SkipTest("nothing can be mounted here")
        self.assertLess(int(done.stdout), 1 << 20, done.stderr)

    def test_it_ends_when_nobody_wants_it(self) -> None:
        # This one would be at it until it is killed.
        self.patch(subprocess, "Popen", lambda command, **more: Popen(["sleep", "1000"], **more))
        self.assertEqual(disk_use(str(self.folder), lambda: False), 0)

    def test_the_deepest_folder_counts(self) -> None:
        here = os.open(self.folder, os.O_RDONLY)
        for _ in range(3000):
            os.mkdir("deeper", dir_fd=here)
            deeper = os.open("deeper", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        with open("file", "wb", opener=lambda name, flags: os.open(name, flags, dir_fd=here)) as file:
            file.write(os.urandom(50 << 20))
        os.close(here)
        self.assertGreater(self.megabytes(), 50)
