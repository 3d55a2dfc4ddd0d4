"""What is left of a child's rights, asked of the kernel in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.extract.order import Owner
from tests.integration.processes import ROOT
from tests.surroundings import only_root

OWNER = Owner(2**31 + 77, 2**31 + 78)

GROUP = 40_404

GIVES_UP = """
import ctypes, json, resource, sys
from tcworker.extract.child.rights import give_up
from tcworker.extract.order import Owner
owner = json.loads(sys.argv[1])
give_up(Owner(*owner) if owner else None, 7, 1024, 60.0)
death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death), 0, 0, 0)
limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in ("FSIZE", "NOFILE", "CORE")}
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
print(json.dumps({"death": death.value, "limits": limits, "status": status}))
"""
"""Gives up what a child does, and says what it has then."""


class GivingUp(SynchronousTestCase):
    def setUp(self) -> None:
        if sys.platform != "linux":
            raise SkipTest("only Linux says all of it")

    def left(self, owner: Owner | None, **more: Any) -> Any:
        """What a process has that gave up its rights for somebody's."""
        program = [sys.executable, "-c", GIVES_UP, json.dumps(owner)]
        done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_neither_user_nor_groups_of_the_worker(self) -> None:
        only_root()
        status = self.left(OWNER, extra_groups=[0, GROUP])["status"]
        self.assertEqual((status["Uid"].split(), status["Gid"].split()), ([str(OWNER.uid)] * 4, [str(OWNER.gid)] * 4))
        self.assertEqual(status["Groups"].split(), [])

    def test_files_are_as_large_and_as_many_as_they_may_be(self) -> None:
        limits = self.left(None)["limits"]
        self.assertEqual(limits, {"FSIZE": 7 << 20, "NOFILE": 256, "CORE": 0})

    def test_it_ends_with_the_worker(self) -> None:
        """Also as another user, which takes that away."""
        for owner in (None, OWNER) if os.geteuid() == 0 else (None,):
            self.assertEqual(self.left(owner)["death"], signal.SIGKILL)

    def test_what_is_sent_to_the_worker_s_group_is_not_meant_for_it(self) -> None:
        ignored = int(self.left(None)["status"]["SigIgn"], 16)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            self.assertTrue(ignored >> (number - 1) & 1, number)
