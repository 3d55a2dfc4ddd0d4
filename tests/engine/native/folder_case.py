"""A folder for tasks, and those that other workers have made in it."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import TestCase

import tests
from tcworker.engine.native import hold
from tcworker.engine.native.folder import make_folder
from tests.engine.native.harness import new_tasks_dir

TASK = "fN1SbArXTPSVFNUvaOlinQ"

MAKES = """
import os, sys
from tcworker.engine.native.folder import make_folder
print(make_folder(sys.argv[1], sys.argv[2], 0), flush=True)
sys.stdin.read()
"""


class FolderCase(TestCase):
    """Tests with a folder for tasks."""

    def setUp(self) -> None:
        self.parent = new_tasks_dir(self)
        os.mkdir(self.parent)
        self.addCleanup(lambda: [hold.let_go(path) for path in list(hold._held) if path.startswith(self.parent)])

    def make(self, task_id: str = TASK) -> str:
        return make_folder(self.parent, task_id, 0)

    def make_elsewhere(self, task_id: str = TASK) -> tuple[str, subprocess.Popen[str]]:
        """In another process, which lives on."""
        root = os.path.dirname(os.path.dirname(tests.__file__))
        argv = [sys.executable, "-c", MAKES, self.parent, task_id]
        other = subprocess.Popen(argv, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.communicate)
        self.addCleanup(other.kill)
        return other.stdout.readline().strip(), other

    def make_left(self, task_id: str = TASK) -> str:
        """By a process that is dead."""
        path, other = self.make_elsewhere(task_id)
        other.kill()
        other.wait()
        return path
