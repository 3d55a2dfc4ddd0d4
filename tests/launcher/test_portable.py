"""Where there is no Linux: everything runs without the one module that needs it, and without what only Linux has."""

from __future__ import annotations

import json
import os
import shutil
import sys

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

import tcworker
import tests
from tcworker.launcher import linux, portable, system
from tcworker.testing.engines.traces import processes_with
from tests.definitions import shell
from tests.engine.native.harness import names_in, new_tasks_dir

_HIDE_WHAT_ONLY_LINUX_HAS = """
import ctypes, os, socket

for module, names in ((os, ("waitid", "setresuid", "setresgid", "splice")), (socket, ("MSG_CMSG_CLOEXEC",))):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
find = ctypes.CDLL.__getattr__

def find_but_prctl(library, name):
    if name == "prctl":
        raise AttributeError(name)
    return find(library, name)

ctypes.CDLL.__getattr__ = find_but_prctl
"""
"""For the package's own beginning, which the worker and its launcher share."""


class SystemTests(SynchronousTestCase):
    """Which of the two is taken."""

    def test_linux_where_it_is(self):
        self.assertIs(system.this_system(), linux)

    def test_the_other_where_it_is_not(self):
        self.addCleanup(setattr, tcworker.launcher, "linux", linux)
        self.addCleanup(sys.modules.__setitem__, linux.__name__, linux)
        sys.modules[linux.__name__] = None
        del tcworker.launcher.linux
        self.assertIs(system.this_system(), portable)

    def test_both_have_the_same_functions(self):
        wanted = {name for name in vars(system.System) if not name.startswith("_")}
        for module in (linux, portable):
            self.assertEqual(wanted - vars(module).keys(), set(), module.__name__)


class RunTests(TestCase):
    """A worker in a copy of the package that lacks the module, and a Python that lacks what other systems lack."""

    timeout = 60

    def setUp(self):
        root = self.mktemp()
        shutil.copytree(os.path.dirname(tcworker.__file__), os.path.join(root, "tcworker"))
        shutil.copytree(os.path.dirname(tests.__file__), os.path.join(root, "tests"))
        os.unlink(os.path.join(root, "tcworker", "launcher", "linux.py"))
        with open(os.path.join(root, "tcworker", "__init__.py"), "a") as beginning:
            beginning.write(_HIDE_WHAT_ONLY_LINUX_HAS)
        self.root = os.path.abspath(root)

    async def run_task(self, payload) -> str:
        """Run a task, and give all that its worker printed."""
        self.tasks_dir = new_tasks_dir(self)
        out, err, _ = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "tests.engine.native.worker", self.tasks_dir, json.dumps(payload)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([self.root, *sys.path])},
            path=self.root,
        )
        return (out + err).decode()

    async def test_a_task_runs(self):
        printed = await self.run_task(shell("echo one", "echo two >&2; kill -9 $$"))
        self.assertIn("one\n", printed)
        self.assertIn("two\n", printed)
        self.assertIn("killed by SIGKILL", printed)
        self.assertTrue(printed.endswith("False\n"), printed)
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_the_process_group_dies_with_the_task(self):
        marker = f"marker-{id(self)}"
        printed = await self.run_task(shell(f"sh -c 'trap \"\" TERM; sleep 600; :' {marker} & echo done"))
        self.assertTrue(printed.endswith("True\n"), printed)
        self.assertEqual(processes_with(marker), [])
