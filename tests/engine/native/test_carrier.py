"""Folders that are moved, and copied to other disks."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native import carrier as carriers
from tcworker.engine.native.carrier import Carrier, copy_file
from tests.surroundings import only_root, open_folder

ELSEWHERE = """
import os, subprocess, sys
sys.path[:0] = {paths!r}
from tcworker.engine.native.carrier import Carrier
from tcworker.engine.native.ways import way
os.makedirs("far")
subprocess.run(["mount", "-t", "tmpfs", "-o", "size={size}", "none", "far"], check=True)
os.makedirs("far/scratch")
carrier = Carrier(os.path.abspath("far/scratch"))
{work}
"""
"""With another disk at C{far}, which only this process sees, and a cache at C{cache}."""


class CarrierCase(SynchronousTestCase):
    """With a cache, a scratch and a target."""

    def setUp(self):
        self.top = open_folder(self)
        for name in ("cache", "scratch", "target"):
            os.mkdir(os.path.join(self.top, name))
        self.write("cache/file", "text")
        self.carrier = Carrier(self.path("scratch"))
        self.target = os.open(self.path("target"), os.O_RDONLY)
        self.addCleanup(os.close, self.target)

    def path(self, name: str) -> str:
        return os.path.join(self.top, name)

    def write(self, name: str, text: str) -> None:
        with open(self.path(name), "w") as file:
            file.write(text)

    def move_out(self, name: str, target: str, number: int) -> None:
        """Take a folder out of the target, if it has this number."""
        aside = os.path.join(self.carrier.new_folder("out"), "it")
        self.carrier.set_aside(self.target, name, aside, (os.stat(self.top).st_dev, number))
        self.carrier.move_back(aside, self.path(target))

    def elsewhere(self, work: str, size: str = "4M") -> str:
        """Do something where there is another disk; what it prints."""
        only_root()
        script = ELSEWHERE.format(paths=[path for path in sys.path if path], size=size, work=work)
        program = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script]
        done = subprocess.run(program, cwd=self.top, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()


class FailingTests(CarrierCase):
    """What goes wrong twice."""

    def test_why_there_is_no_copy_is_told_though_what_is_left_of_it_stays(self):
        def full(carrier: Carrier, source: str, target: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", target)

        def broken(path: str) -> None:
            raise OSError(errno.EIO, "Input/output error", path)

        self.patch(Carrier, "_copy_content", full)
        self.patch(carriers, "remove", broken)
        self.assertRaisesRegex(OSError, "No space", self.carrier.copy, self.path("cache"))


class MoveTests(CarrierCase):
    """On one disk."""

    def test_in_and_out(self):
        number = os.stat(self.path("cache")).st_ino
        self.carrier.move_in(self.path("cache"), self.target, "c", id)
        self.assertFalse(os.path.exists(self.path("cache")))
        self.move_out("c", "cache", number)
        self.assertEqual(os.stat(self.path("cache")).st_ino, number)
        self.assertEqual(os.listdir(self.target), [])

    def test_onto_what_is_there(self):
        os.makedirs(self.path("target/c/full"))
        with self.assertRaises(OSError) as caught:
            self.carrier.move_in(self.path("cache"), self.target, "c", id)
        self.assertEqual(caught.exception.errno, errno.ENOTEMPTY)
        self.assertTrue(os.path.exists(self.path("cache/file")))

    def test_out_what_is_no_folder(self):
        """Where it was, a file or a link is of no use to anybody."""
        self.write("target/file", "")
        os.symlink(self.path("cache"), self.path("target/link"))
        for name in ("file", "link"):
            with self.assertRaises(NotADirectoryError):
                self.move_out(name, "new", os.lstat(self.path(f"target/{name}")).st_ino)
        self.assertFalse(os.path.lexists(self.path("new")))
        self.assertTrue(os.path.exists(self.path("cache/file")))

    def test_out_another_folder(self):
        """That somebody has put in its place."""
        self.carrier.move_in(self.path("cache"), self.target, "c", id)
        number = os.stat(self.path("target/c")).st_ino
        os.rename(self.path("target/c"), self.path("target/away"))
        os.mkdir(self.path("target/c"))
        with self.assertRaises(NotADirectoryError):
            self.move_out("c", "cache", number)
        self.assertFalse(os.path.lexists(self.path("cache")))


class OtherDiskTests(CarrierCase):
    """By copying."""

    def test_in_and_out(self):
        """With all that files have: times, rights, names, holes."""
        self.write("cache/tool", "#!/bin/sh")
        os.chmod(self.path("cache/tool"), 0o755)
        os.utime(self.path("cache/tool"), (1000, 2000))
        os.link(self.path("cache/tool"), self.path("cache/again"))
        os.symlink("/nowhere", self.path("cache/link"))
        os.mkfifo(self.path("cache/fifo"))
        with open(self.path("cache/sparse"), "w") as file:
            file.truncate(1 << 30)
        os.chmod(self.path("cache"), 0o700)
        self.elsewhere(
            "with way('far', ()) as far:\n"
            "    assert carrier.move_in(os.path.abspath('cache'), far, 'c', id)[1]\n"
            "    assert os.path.exists('cache/file') and os.path.exists('far/c/file')\n"
            "    subprocess.run(['rm', '-r', 'cache'], check=True)\n"
            "    there = os.stat('far/c')\n"
            "    carrier.set_aside(far, 'c', 'far/scratch/out', (there.st_dev, there.st_ino))\n"
            "    carrier.move_back('far/scratch/out', os.path.abspath('cache'))\n"
            "    assert not os.path.exists('far/c')"
        )
        entry = os.stat(self.path("cache/tool"))
        self.assertEqual((stat.S_IMODE(entry.st_mode), entry.st_mtime, entry.st_nlink), (0o755, 2000, 2))
        self.assertEqual(os.readlink(self.path("cache/link")), "/nowhere")
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("cache/fifo")).st_mode))
        self.assertLess(os.stat(self.path("cache/sparse")).st_blocks, 100)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("cache")).st_mode), 0o700)

    def test_of_somebody_elses(self):
        """Copied with that one's rights: what lies behind a link that came meanwhile may be the machine's."""
        only_root()
        os.makedirs(self.path("cache/deep"))
        for name in ("cache", "cache/deep", "cache/file"):
            os.chown(self.path(name), 39311, 39311)
        os.chmod(self.path("cache"), 0o700)
        copy = self.carrier.copy(self.path("cache"))
        self.assertEqual({os.stat(os.path.join(copy, name)).st_uid for name in (".", "deep", "file")}, {39311})
        self.write("cache/secret", "of root")
        os.chmod(self.path("cache/secret"), 0o600)
        self.assertRaises(OSError, self.carrier.copy, self.path("cache"))

    def test_one_that_is_too_small(self):
        """The cache stays where it was, and nothing of it there."""
        with open(self.path("cache/large"), "wb") as file:
            file.write(os.urandom(3 << 20))
        said = self.elsewhere(
            "with way('far', ()) as far:\n"
            "    try:\n"
            "        carrier.move_in(os.path.abspath('cache'), far, 'c', id)\n"
            "    except OSError as error:\n"
            "        print(error.errno, os.path.exists('cache/large'), os.path.exists('far/c'))\n"
            "print(os.statvfs('far').f_bavail * os.statvfs('far').f_frsize > 1 << 20)",
            "2M",
        )
        self.assertEqual(said.split(), [str(errno.ENOSPC), "True", "False", "True"])

    def test_back_to_one_that_is_full(self):
        """All of it stays aside, so that it can be tried again."""
        self.write("cache/file", "x" * (3 << 20))
        said = self.elsewhere(
            "os.rename('scratch', 'near'); os.mkdir('far/caches')\n"
            "try:\n"
            "    carrier.move_back('cache', os.path.abspath('far/caches/c'))\n"
            "except OSError as error:\n"
            "    print(error.errno, os.listdir('far/caches'), os.listdir('cache'))\n"
            "subprocess.run(['mount', '-o', 'remount,size=8M', 'far'], check=True)\n"
            "carrier.move_back('cache', os.path.abspath('far/caches/c'))\n"
            "print(os.listdir('far/caches/c'), os.path.exists('cache'))",
            "2M",
        )
        self.assertEqual(said.splitlines(), [f"{errno.ENOSPC} [] ['file']", "['file'] False"])


class CopyTests(CarrierCase):
    """Whole folders, into the scratch."""

    def test_all_of_it(self):
        copy = self.carrier.copy(self.path("cache"))
        self.assertEqual((os.path.dirname(copy), os.listdir(copy)), (self.path("scratch"), ["file"]))
        self.assertTrue(os.path.exists(self.path("cache/file")))

    def test_what_is_missing(self):
        with self.assertRaises(OSError) as caught:
            self.carrier.copy(self.path("missing"))
        self.assertIn("No such file", str(caught.exception))

    def test_no_more_when_it_was_stopped(self):
        self.carrier.stop()
        self.assertTrue(self.carrier.stopped())
        self.assertRaises(OSError, self.carrier.copy, self.path("cache"))
        self.assertEqual(os.listdir(self.path("scratch")), [])

    def test_stopped_in_the_middle(self):
        """By somebody else, while this waits for a pipe that nobody writes to."""
        os.mkfifo(self.path("slow"))
        self.patch(os, "defpath", self.path("bin"))
        os.mkdir(self.path("bin"))
        self.write("bin/cp", f"#!/bin/sh\nexec < {self.path('slow')}\n")
        os.chmod(self.path("bin/cp"), 0o755)
        failed: list[BaseException] = []

        def copy() -> None:
            try:
                self.carrier.copy(self.path("cache"))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=copy)
        thread.start()
        while self.carrier._copying is None and thread.is_alive():
            thread.join(0.005)
        self.carrier.stop()
        thread.join(20)
        self.assertEqual(len(failed), 1)


class FileTests(CarrierCase):
    """Single ones."""

    def copy(self, name: str, stopped: Callable[[], bool] = bool) -> None:
        target = os.open(self.path("target/copy"), os.O_WRONLY | os.O_CREAT)
        try:
            copy_file(self.path(name), target, stopped)
        finally:
            os.close(target)

    def test_what_is_in_it(self):
        content = os.urandom(3_000_000)
        with open(self.path("large"), "wb") as file:
            file.write(content)
        self.copy("large")
        with open(self.path("target/copy"), "rb") as file:
            self.assertEqual(file.read(), content)

    def test_told_to_stop_in_the_middle(self):
        """Where blocks cannot be shared, between two pieces."""

        def refuse(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "not on this disk")

        self.patch(fcntl, "ioctl", refuse)
        self.write("large", "x" * 5_000_000)
        answers = iter((False, False, True))
        with self.assertRaises(OSError) as caught:
            self.copy("large", lambda: next(answers))
        self.assertEqual(caught.exception.errno, errno.ECANCELED)
        self.assertEqual(os.stat(self.path("target/copy")).st_size, 2 << 20)

    def test_changes_reach_nobody_else(self):
        self.copy("cache/file")
        self.write("target/copy", "changed")
        with open(self.path("cache/file")) as file:
            self.assertEqual(file.read(), "text")
