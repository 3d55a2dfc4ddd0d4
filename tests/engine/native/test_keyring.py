"""Which keys of the kernel's a task can read."""

from __future__ import annotations

import ctypes
import os
import shlex
import sys

from twisted.trial.unittest import SkipTest

from tests.definitions import shell
from tests.engine.native.harness import NativeCase

ADD_KEY = {"x86_64": 248, "aarch64": 217, "riscv64": 217, "ppc64le": 269, "s390x": 278}
KEYCTL_UNLINK = 9
SESSION = -3

LIST_AND_ADD = """
import ctypes
libc = ctypes.CDLL(None)
for name in (b"of-worker", b"of-task"):
    if libc.syscall({keyctl}, 10, {session}, b"user", name, 0) > 0:
        print("found", name.decode())
if libc.syscall({add_key}, b"user", b"of-task", b"secret", 6, {session}) > 0:
    print("added")
"""


class KeyringTests(NativeCase):
    """The session's, which programs keep tickets and passwords in."""

    def setUp(self):
        self.add_key = ADD_KEY.get(os.uname().machine) if sys.platform == "linux" else None
        if self.add_key is None:
            raise SkipTest("the numbers of the calls for keys are not known here")
        libc = ctypes.CDLL(None)
        key = libc.syscall(self.add_key, b"user", b"of-worker", b"secret", 6, SESSION)
        if key < 0:
            raise SkipTest("there are no keys here")
        self.addCleanup(libc.syscall, self.add_key + 2, KEYCTL_UNLINK, key, SESSION)
        program = LIST_AND_ADD.format(add_key=self.add_key, keyctl=self.add_key + 2, session=SESSION)
        self.payload = shell(shlex.join([sys.executable, "-I", "-S", "-c", program]))

    async def test_neither_the_workers_nor_those_of_the_run_before(self):
        platform = await self.new_platform()
        for _ in range(2):
            context, result = await self.run_task(self.payload, platform)
            await result.dispose()
            printed = context.log.text.splitlines()
            self.assertEqual([line for line in printed if line in ("found of-worker", "found of-task")], [])
            self.assertIn("added", printed)
