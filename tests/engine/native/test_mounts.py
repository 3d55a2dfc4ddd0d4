"""What is mounted in a task's folder, in a mount namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.engine.native.mounts import unmount_below
from tests.engine.native.harness import exists
from tests.engine.native.test_crashes import ROOT
from tests.surroundings import only_root, open_folder

REMOVES = """
import subprocess, sys
from tcworker.engine.native.folder import remove_folder

tasks, elsewhere = sys.argv[1:]
def mount(*words):
    subprocess.run(["mount", *words], check=True)
def make(path):
    subprocess.run(["mkdir", "-p", path], check=True)
folder = f"{tasks}/task_a_0"
for name in ("in memory", "bound", "deep/down"):
    make(f"{folder}/{name}")
mount("-t", "tmpfs", "none", f"{folder}/in memory")
make(f"{folder}/in memory/again")
mount("-t", "tmpfs", "none", f"{folder}/in memory/again")
mount("--bind", elsewhere, f"{folder}/bound")
mount("--bind", elsewhere, f"{folder}/deep/down")
make(f"{tasks}/task_a_0.neighbour")
mount("--bind", elsewhere, f"{tasks}/task_a_0.neighbour")
remove_folder(folder)
print(open("/proc/self/mountinfo").read())
"""


class RemovalTests(SynchronousTestCase):
    """A folder in which a task of root has mounted things."""

    def setUp(self) -> None:
        only_root()
        self.folder = open_folder(self)
        self.tasks, self.elsewhere = (os.path.join(self.folder, name) for name in ("tasks", "elsewhere"))
        for path in (self.tasks, self.elsewhere):
            os.mkdir(path)
        with open(os.path.join(self.elsewhere, "precious"), "w"):
            pass

    def remove(self) -> str:
        """Let it be removed, and give what is mounted after that."""
        program = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", REMOVES]
        done = subprocess.run(
            [*program, self.tasks, self.elsewhere], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        if "Operation not permitted" in done.stderr:
            raise SkipTest("nothing can be mounted here")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_it_goes_and_what_is_elsewhere_stays(self) -> None:
        mounted = self.remove()
        self.assertFalse(exists(os.path.join(self.tasks, "task_a_0")))
        self.assertEqual(os.listdir(self.elsewhere), ["precious"])
        self.assertNotIn("task_a_0/", mounted)
        self.assertIn("task_a_0.neighbour", mounted)

    def test_nothing_is_mounted(self) -> None:
        self.assertFalse(unmount_below(self.tasks))
