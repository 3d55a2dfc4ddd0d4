"""Folders of its own for a run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.launcher import mount_calls
from tcworker.launcher.namespace import Namespace, Private, folders_on_disk
from tests.surroundings import only_root


def in_child(work: Callable[[], object]) -> str:
    """Do something in a process of its own, and give what it answers as text."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = str(work())
        except BaseException as error:
            answer = repr(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        answer = file.read()
    os.waitpid(pid, 0)
    return answer


def count_mounts() -> int:
    """How many this process sees."""
    with open("/proc/self/mounts") as mounts:
        return len(mounts.readlines())


class NamespaceTests(SynchronousTestCase):
    """What a process sees, and what others see of it."""

    def setUp(self):
        only_root()
        self.folder = os.path.abspath(self.mktemp())
        for name in folders_on_disk():
            os.makedirs(os.path.join(self.folder, "private", name))
        self.name = f"tcworker-test-{os.urandom(4).hex()}"

    def private(self, *keep: str) -> Private:
        return Private(os.path.join(self.folder, "private"), keep, plain=True)

    def inside(self, work: Callable[[], object], *keep: str) -> str:
        def enter_and_work() -> object:
            if not Namespace().enter(self.private(*keep)):
                return "not allowed"
            return work()

        answer = in_child(enter_and_work)
        if answer == "not allowed":
            raise SkipTest("the kernel allows nobody mounts of their own here")
        return answer

    def test_others_do_not_see_what_is_made(self):
        def make() -> None:
            for folder in ("/tmp", "/var/tmp", "/dev/shm"):
                open(os.path.join(folder, self.name), "w").close()

        self.assertEqual(self.inside(make), "None")
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            self.assertFalse(os.path.exists(os.path.join(folder, self.name)), folder)
        for name in folders_on_disk():
            self.assertEqual(os.listdir(os.path.join(self.folder, "private", name)), [self.name])

    def test_what_others_made_is_not_seen(self):
        path = os.path.join("/var/tmp", self.name)
        open(path, "w").close()
        self.addCleanup(os.unlink, path)
        self.assertEqual(self.inside(lambda: os.path.exists(path)), "False")

    def test_all_may_write_there(self):
        os.chmod(os.path.join(self.folder, "private", "tmp"), 0o1777)
        command = ["sh", "-c", "for f in /tmp /dev/shm; do echo > $f/x || exit 1; done"]
        run = lambda: subprocess.run(command, user=39117, group=39117, extra_groups=[], check=True).returncode  # noqa: E731  # one line in a test
        self.assertEqual(self.inside(run), "0")

    def test_a_folder_that_is_kept(self):
        """The task's own may lie in one of those."""
        kept = os.path.join("/tmp", self.name, "deep")
        os.makedirs(kept)
        self.addCleanup(os.removedirs, kept)
        path = os.path.join(kept, "file")
        self.assertEqual(self.inside(lambda: open(path, "w").close(), kept), "None")
        os.unlink(path)

    def test_no_devices_and_no_rights_by_files(self):
        def flags() -> int:
            return sum(bool(os.statvfs(folder).f_flag & os.ST_NOSUID) for folder in ("/tmp", "/var/tmp", "/dev/shm"))

        self.assertEqual(self.inside(flags), "3")

    def test_the_machine_as_it_is_again(self):
        path = os.path.join("/var/tmp", self.name)
        open(path, "w").close()
        self.addCleanup(os.unlink, path)

        def there_and_back() -> tuple[bool, bool]:
            mounts = Namespace()
            mounts.enter(self.private())
            inside = os.path.exists(path)
            mounts.leave()
            return inside, os.path.exists(path)

        self.assertEqual(in_child(there_and_back), "(False, True)")

    def test_again_and_again(self):
        """As a supervisor does that has one run after the other."""

        def often() -> int:
            for _ in range(20):
                mounts = Namespace()
                mounts.enter(self.private())
                mounts.leave()
            return count_mounts()

        self.assertEqual(in_child(often), str(count_mounts()))

    def test_what_cannot_be_mounted_leaves_all_as_it_was(self):
        path = os.path.join("/var/tmp", self.name)
        open(path, "w").close()
        self.addCleanup(os.unlink, path)

        def fail() -> tuple[str, bool]:
            try:
                Namespace().enter(Private("/no/such/folder", [], plain=True))
            except OSError as error:
                return type(error).__name__, os.path.exists(path)
            return "entered", False

        self.assertEqual(in_child(fail), "('FileNotFoundError', True)")

    def test_where_it_is_not_allowed(self):
        def refuse() -> bool:
            os.setuid(39117)
            return Namespace().enter(self.private())

        self.assertEqual(in_child(refuse), "False")


class ElsewhereTests(SynchronousTestCase):
    """Where there is nothing of the kind."""

    def test_another_system(self):
        self.patch(mount_calls.sys, "platform", "darwin")
        self.assertFalse(Namespace().enter(Private("/no/such/folder", [], plain=True)))
