"""Root can run a command as somebody who may nothing, and nobody is left of him."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests import ordinary

LOOK = """
import getpass, json, os, tempfile
import twisted
try:
    os.mkdir("tests/not-allowed")
except OSError as error:
    refused = error.strerror
with tempfile.TemporaryDirectory() as own:
    print(json.dumps([os.getresuid(), os.getgroups(), getpass.getuser(), own, refused]))
"""

BEHIND_A_CLOSED_DOOR = """
import os, pathlib, sys
from tests import ordinary
folder, place = map(pathlib.Path, sys.argv[1:])
ordinary.leave_namespace()
ordinary.open_ways(folder, [place])
os.setuid(4711)
print((place / "inner" / "file").read_text(), (place / "link").readlink(), end="")
"""


class OrdinaryUsers(SynchronousTestCase):
    def setUp(self) -> None:
        if not ordinary.possible():
            raise SkipTest("only root can be somebody else, and not everywhere")
        folder = tempfile.TemporaryDirectory(prefix="tcworker-ordinary-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_it(self, *arguments: str) -> str:
        command = ordinary.command(self.folder, arguments)
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ordinary.ROOT).stdout

    def look(self) -> Any:
        return json.loads(self.run_it("-c", LOOK))

    def test_has_a_name_and_a_home_and_may_nothing_else(self) -> None:
        numbers, groups, name, own, refused = self.look()
        self.assertEqual(len(set(numbers)), 1)
        self.assertGreaterEqual(numbers[0], 59_000)
        self.assertEqual((name, groups), (ordinary.NAME, []))
        self.assertTrue(own.startswith(f"{self.folder}/home/"), own)
        self.assertEqual(refused, "Permission denied")

    def test_is_known_to_nobody_else(self) -> None:
        before = Path("/proc/self/mounts").read_text(), settled_in_etc()
        self.look()
        self.assertEqual((Path("/proc/self/mounts").read_text(), settled_in_etc()), before)
        self.assertNotIn(ordinary.NAME, Path("/etc/passwd").read_text())

    def test_nothing_is_mounted_where_others_are(self) -> None:
        before = Path("/proc/self/mounts").read_text()
        # Something that can be lost: should this fail, it is removed with the folder that it is mounted in.
        place = Path(self.mktemp())
        place.mkdir()
        self.assertRaises(RuntimeError, ordinary.open_ways, self.folder, [place])
        self.assertEqual(Path("/proc/self/mounts").read_text(), before)

    def test_comes_to_what_is_behind_a_closed_door(self) -> None:
        closed = self.folder / "closed"
        place = closed / "checkout"
        (place / "inner").mkdir(parents=True)
        (place / "inner" / "file").write_text("here ")
        (place / "link").symlink_to("inner/file")
        for folder in (place, closed):
            folder.chmod(0o700)
        self.folder.chmod(0o755)
        command = [sys.executable, "-c", BEHIND_A_CLOSED_DOOR, str(self.folder), str(place)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ordinary.ROOT)
        self.assertEqual(answer.stdout, "here  inner/file")
        self.assertEqual(closed.stat().st_mode & 0o777, 0o700)


def settled_in_etc() -> set[str]:
    """What is in /etc but for what comes and goes there: tests beside this one add users."""
    return {name for name in os.listdir("/etc") if not name.endswith(".lock") and not name.rpartition(".")[2].isdigit()}
