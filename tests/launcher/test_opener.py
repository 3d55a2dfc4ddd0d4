"""Opening what a task left."""

from __future__ import annotations

import os
import shutil
import socket

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher import opener
from tcworker.launcher.opener import Fault, check_folder, open_file, walk


class OpenerTests(SynchronousTestCase):
    """In a folder of the test's own."""

    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def make(self, *names: str) -> None:
        for name in names:
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w"):
                pass

    def walked(self) -> list[str]:
        """The paths, with what is wrong with them."""
        found = []
        for entry, descriptors in walk(self.folder):
            found.append(entry["path"] + (f" {entry['fault']}" if "fault" in entry else ""))
            for descriptor in descriptors:
                os.close(descriptor)
        return found

    def fault(self, call, name: str) -> str:
        with self.assertRaises(Fault) as caught:
            call(os.path.join(self.folder, name))
        return caught.exception.kind

    def open(self, path: str) -> int:
        return open_file(path, path)

    def test_sorted_as_whole_paths(self):
        self.make("a/x", "a-b", "a.c", "ab/y", "a/b/c", "B")
        self.assertEqual(self.walked(), sorted(["a/x", "a-b", "a.c", "ab/y", "a/b/c", "B"]))

    def test_links_to_files_are_followed_and_those_to_folders_are_not(self):
        self.make("a/x")
        os.symlink("a", os.path.join(self.folder, "folder"))
        os.symlink("a/x", os.path.join(self.folder, "file"))
        os.symlink("nowhere", os.path.join(self.folder, "loose"))
        self.assertEqual(self.walked(), ["a/x", "file", "folder kind", "loose missing"])

    def test_what_the_kernel_makes_up_is_no_file(self):
        """It would tell of us, who open it, not of the task."""
        link = os.path.join(self.folder, "link")
        os.symlink("/proc/self/maps", link)
        for path in ("/proc/self/maps", "/proc/self/ns/mnt", "/proc/cpuinfo", "/sys/kernel/uevent_seqnum", link):
            if os.path.isfile(path):
                self.assertEqual(self.fault(self.open, path), "kind", path)

    def test_names_that_are_no_text(self):
        self.make("\udcff")
        self.assertEqual(self.walked(), ["\udcff"])

    def test_pipes_are_not_waited_for(self):
        os.mkfifo(os.path.join(self.folder, "pipe"))
        self.assertEqual(self.fault(self.open, "pipe"), "kind")
        self.assertEqual(self.walked(), ["pipe kind"])

    def test_what_becomes_something_else_between_look_and_open(self):
        self.make("file")
        looked = os.stat(os.path.join(self.folder, "file"))
        os.mkfifo(os.path.join(self.folder, "pipe"))
        os.symlink("/dev/zero", os.path.join(self.folder, "device"))
        self.patch(os, "stat", lambda path: looked)
        before = len(os.listdir("/proc/self/fd"))
        for name in ("pipe", "device"):
            self.assertEqual(self.fault(self.open, name), "kind")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_sockets_and_devices_are_no_files(self):
        with socket.socket(socket.AF_UNIX) as server:
            # Its address may be too long otherwise.
            os.chdir(self.folder)
            self.addCleanup(os.chdir, os.path.dirname(self.folder))
            server.bind("socket")
        os.symlink("/dev/null", os.path.join(self.folder, "device"))
        self.assertEqual(self.walked(), ["device kind", "socket kind"])

    def test_a_folder_that_goes_while_it_is_walked(self):
        self.make("a/x", "b/y")
        walking = walk(self.folder)
        os.close(next(walking)[1][0])
        self.patch(opener, "check_folder", lambda path: shutil.rmtree(path))
        self.assertEqual([(entry["path"], entry["fault"]) for entry, _ in walking], [("b", "missing")])
        with self.assertRaises(Fault):
            walk(self.folder)

    def test_folders_deeper_than_any_path_leads(self):
        folder = os.open(self.folder, os.O_RDONLY)
        for _ in range(450):
            os.mkdir("x" * 10, dir_fd=folder)
            above, folder = folder, os.open("x" * 10, os.O_RDONLY, dir_fd=folder)
            os.close(above)
        os.close(folder)
        (entry,) = [entry for entry, _ in walk(self.folder)]
        self.assertEqual(entry["fault"], "missing")
        self.assertTrue(entry["message"].endswith("(File name too long)"))

    def test_faults(self):
        self.make("a/x")
        os.symlink("circle", os.path.join(self.folder, "circle"))
        kinds = {"": "kind", "a": "kind", "no": "missing", "a/x/y": "missing", "circle": "missing", "\0": "missing"}
        for name, kind in kinds.items():
            self.assertEqual(self.fault(self.open, name), kind, name)
        self.assertEqual(self.fault(check_folder, "a/x"), "kind")
        self.assertEqual(self.fault(check_folder, "no"), "missing")
        self.assertEqual(self.fault(self.open, "x" * 5000), "missing")
