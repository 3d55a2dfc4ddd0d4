"""The picture of a machine shows what a task could leave on it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.bad_case import UIDS
from tests.integration.picture import grown, take_picture
from tests.surroundings import only_root

SOMEBODY = UIDS[-1]


class APicture(SynchronousTestCase):
    def setUp(self) -> None:
        only_root()
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(self.folder, "tasks"))
        self.before = self.picture()

    def picture(self):
        return take_picture(f"{self.folder}/tasks", f"{self.folder}/state", UIDS)

    def shows(self, *kinds: str) -> None:
        self.assertEqual(set(grown(self.before, self.picture())), set(kinds))

    def run_as_somebody(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, user=SOMEBODY, group=SOMEBODY, extra_groups=[], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_nothing_if_nothing_changed(self) -> None:
        self.shows()

    def test_a_process(self) -> None:
        self.run_as_somebody("sleep", "60")
        self.shows("processes")

    def test_a_dead_process_that_nobody_buried(self) -> None:
        os.waitid(os.P_PID, self.run_as_somebody("true").pid, os.WEXITED | os.WNOWAIT)
        self.shows("processes")

    def test_a_group(self) -> None:
        subprocess.run(["groupadd", "--gid", str(UIDS[-1]), f"task_{UIDS[-2]}"], check=True)
        self.addCleanup(subprocess.run, ["groupdel", f"task_{UIDS[-2]}"], check=True)
        self.shows("groups")

    def test_ipc_objects(self) -> None:
        for kind in ("-Q", "-S1", "-M1"):
            self.run_as_somebody("ipcmk", kind).wait()
        found = grown(self.before, self.picture())["IPC objects"]
        for line in found:
            subprocess.run(["ipcrm", {"msg": "-q", "sem": "-s", "shm": "-m"}[line[:3]], line.split()[1]], check=True)
        self.assertEqual([line[:3] for line in found], ["msg", "sem", "shm"])
        self.shows()

    def test_a_file_among_those_of_everybody(self) -> None:
        descriptor, path = tempfile.mkstemp(dir="/var/tmp")
        self.addCleanup(os.unlink, path)
        os.close(descriptor)
        os.chown(path, SOMEBODY, SOMEBODY)
        self.shows("files")

    def test_a_folder_of_a_task(self) -> None:
        os.mkdir(f"{self.folder}/tasks/task_x_0")
        self.shows("files")

    def test_a_mount(self) -> None:
        os.mkdir(place := f"{self.folder}/tasks/mounted")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        self.shows("files", "mounts")

    def test_a_descriptor_and_a_thread(self) -> None:
        reading, writing = os.pipe()
        thread = threading.Thread(target=os.read, args=(reading, 1), name="left")
        thread.start()
        self.shows("descriptors", "threads")
        os.write(writing, b"x")
        thread.join()
        os.close(reading)
        os.close(writing)
