"""What a user leaves on a machine, found and taken away."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.engine.native.traces import has_ipc, kill_processes, processes_of, remove_files, remove_ipc

UID = 39_117
"""A number that is nobody's, outside of the range that workers use."""

MAKE_IPC = "defined shmget(0, 9, 01600) && defined semget(0, 1, 01600) && defined msgget(0, 01600) || die"
"""For perl, which any user of a Debian machine can run."""


class TracesTests(SynchronousTestCase):
    """Of a user without an account, made by hand."""

    timeout = 60

    def setUp(self):
        if os.geteuid() != 0 or sys.platform != "linux":
            raise SkipTest("only root can be another user")

    def as_user(self, *command: str, most: int = 1000) -> subprocess.Popen[bytes]:
        # Not by a shell: one that does not know the limit would go on without it.
        limit = lambda: resource.setrlimit(resource.RLIMIT_NPROC, (most, most))  # noqa: E731  # one line
        process = subprocess.Popen(
            command, user=UID, group=UID, extra_groups=[], cwd="/", stdout=subprocess.PIPE, preexec_fn=limit
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process

    def test_processes_are_found_and_killed(self):
        process = self.as_user("sh", "-c", "trap '' TERM; echo here; while :; do sleep 1; done")
        process.stdout.readline()
        self.assertIn(process.pid, processes_of(UID))
        self.assertEqual(kill_processes(UID), set())
        self.assertEqual(process.wait(), -9)
        self.assertEqual(processes_of(UID), set())

    def test_one_that_gave_up_its_name_is_found(self):
        """Only its saved number still is the user's."""
        script = f"import os, time; os.setresuid(0, 0, {UID}); print(flush=True); time.sleep(100)"
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        self.assertEqual(kill_processes(UID), set())
        self.assertEqual(process.wait(), -9)

    def test_many_that_fork_all_the_time(self):
        process = self.as_user("perl", "-e", "$| = 1; print qq(here\n); fork while 1", most=60)
        process.stdout.readline()
        until = time.monotonic() + 10
        while len(processes_of(UID)) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(kill_processes(UID), set())

    def test_the_dead_do_not_count(self):
        process = self.as_user("true")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(processes_of(UID), set())

    def test_ipc_objects(self):
        self.assertFalse(has_ipc(UID))
        script = ["perl", "-e", MAKE_IPC]
        subprocess.run(script, user=UID, group=UID, extra_groups=[], cwd="/", check=True)
        self.assertTrue(has_ipc(UID))
        remove_ipc(UID)
        self.assertFalse(has_ipc(UID))

    def test_ipc_objects_of_others_stay(self):
        libc = ctypes.CDLL(None)
        mine = libc.shmget(0, 4096, 0o1600)
        self.addCleanup(libc.shmctl, mine, 0, None)
        remove_ipc(UID)
        self.assertTrue(has_ipc(os.geteuid()))

    def folder_of_all(self) -> str:
        folder = os.path.abspath(self.mktemp())
        os.mkdir(folder)
        return folder

    def test_files_in_shared_folders(self):
        folder = self.folder_of_all()
        for name in ("deep", "file", "mine"):
            path = os.path.join(folder, name)
            if name == "deep":
                os.makedirs(os.path.join(path, "er"), 0o500)
            else:
                open(path, "w").close()
            if name != "mine":
                os.chown(path, UID, UID)
        os.symlink("/", os.path.join(folder, "link"))
        os.lchown(os.path.join(folder, "link"), UID, UID)
        remove_files(UID, [folder, "/no/such/folder"])
        self.assertEqual(os.listdir(folder), ["mine"])
