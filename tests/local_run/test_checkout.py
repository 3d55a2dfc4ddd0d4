"""Copies of working trees."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tcworker.errors import ResourceUnavailable
from tcworker.local_run.checkout import CheckoutFeature, copy_tree, open_tree
from tcworker.waiting import Threads


def files_of(folder: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
    )


def put(folder: str, *names: str) -> None:
    for name in names:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(name)


class TreeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.tree, self.copy = self.mktemp(), self.mktemp()
        os.mkdir(self.tree)

    def git(self, *arguments: str, folder: str | None = None) -> None:
        options = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-C", folder or self.tree]
        subprocess.run(["git", *options, *arguments], check=True, capture_output=True)


class AGitWorkTree(TreeCase):
    def setUp(self) -> None:
        super().setUp()
        self.git("init", "-q")
        put(self.tree, "tracked", "sub/tracked", "ignored.o", "new", "gone")
        put(self.tree, ".gitignore")
        with open(os.path.join(self.tree, ".gitignore"), "w") as file:
            file.write("*.o\n")
        self.git("add", "tracked", "sub", ".gitignore", "gone")
        os.remove(os.path.join(self.tree, "gone"))

    def test_what_git_does_not_ignore_is_copied(self) -> None:
        copy_tree(self.tree, self.copy)
        self.assertEqual(files_of(self.copy), [".gitignore", "new", "sub/tracked", "tracked"])

    def test_of_a_folder_in_it_only_that_folder(self) -> None:
        copy_tree(os.path.join(self.tree, "sub"), self.copy)
        self.assertEqual(files_of(self.copy), ["tracked"])

    def test_of_a_folder_that_is_ignored_all_of_it(self) -> None:
        put(self.tree, "built.o/result")
        copy_tree(os.path.join(self.tree, "built.o"), self.copy)
        self.assertEqual(files_of(self.copy), ["result"])

    def test_what_is_ignored_in_a_work_tree_inside_it_stays_away_too(self) -> None:
        inner = os.path.join(self.tree, "inner")
        os.mkdir(inner)
        self.git("init", "-q", folder=inner)
        put(inner, "source", "x.log", ".gitignore")
        with open(os.path.join(inner, ".gitignore"), "w") as file:
            file.write("*.log\n")
        copy_tree(self.tree, self.copy)
        self.assertEqual(
            [name for name in files_of(self.copy) if "inner" in name], ["inner/.gitignore", "inner/source"]
        )


class AnyFolder(TreeCase):
    def test_all_of_it_is_copied(self) -> None:
        put(self.tree, "a", "deep/down/b")
        os.mkdir(os.path.join(self.tree, "empty"))
        copy_tree(self.tree, self.copy)
        self.assertEqual(files_of(self.copy), ["a", "deep/down/b"])
        self.assertTrue(os.path.isdir(os.path.join(self.copy, "empty")))

    def test_links_stay_links_and_modes_modes(self) -> None:
        put(self.tree, "tool")
        os.chmod(os.path.join(self.tree, "tool"), 0o755)
        os.symlink("/etc/passwd", os.path.join(self.tree, "link"))
        os.symlink("/etc", os.path.join(self.tree, "folder"))
        copy_tree(self.tree, self.copy)
        self.assertEqual(os.readlink(os.path.join(self.copy, "link")), "/etc/passwd")
        self.assertEqual(os.readlink(os.path.join(self.copy, "folder")), "/etc")
        self.assertTrue(os.access(os.path.join(self.copy, "tool"), os.X_OK))

    def test_a_pipe_keeps_nobody_waiting(self) -> None:
        os.mkfifo(os.path.join(self.tree, "pipe"))
        copy_tree(self.tree, self.copy)
        self.assertEqual(os.listdir(self.copy), [])

    def test_a_copy_inside_the_folder_does_not_copy_itself(self) -> None:
        put(self.tree, "a")
        self.copy = os.path.join(self.tree, "copy")
        copy_tree(self.tree, self.copy)
        self.assertEqual(files_of(self.copy), ["a"])


class ForEverybody(TreeCase):
    def test_others_can_do_what_the_owner_can(self) -> None:
        put(self.tree, "deep/secret", "tool")
        for name, mode in (("deep", 0o700), ("deep/secret", 0o600), ("tool", 0o500)):
            os.chmod(os.path.join(self.tree, name), mode)
        os.symlink("/etc/passwd", os.path.join(self.tree, "link"))
        passwd = os.stat("/etc/passwd").st_mode
        open_tree(self.tree)
        modes = [os.stat(os.path.join(self.tree, name)).st_mode & 0o777 for name in ("deep", "deep/secret", "tool")]
        self.assertEqual(modes, [0o777, 0o666, 0o555])
        self.assertEqual(os.stat("/etc/passwd").st_mode, passwd)


class TheFeature(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.threads = Threads(reactor, 1, "test")  # type: ignore[arg-type]  # the module stands for the reactor
        self.addCleanup(self.threads.stop)
        self.tree, self.scratch = os.path.abspath(self.mktemp()), os.path.abspath(self.mktemp())
        os.mkdir(self.scratch)
        put(self.tree, "a")
        self.variables: dict[str, str] = {}

    def run_of(self, run_id: int, **options: bool) -> Any:
        feature = CheckoutFeature(self.threads, self.tree, self.scratch, **options)
        return feature.for_task(SimpleNamespace(task_id="t", run_id=run_id))  # type: ignore[arg-type]  # all it needs

    def load(self, run: Any) -> Deferred[None]:
        loading: Deferred[None] = run.load(SimpleNamespace(set_env=self.variables.__setitem__))
        return loading

    async def test_each_run_finds_a_copy_of_its_own(self) -> None:
        await self.load(self.run_of(0))
        first = self.variables["CHECKOUT"]
        put(first, "made by the task")
        await self.load(self.run_of(1))
        self.assertNotEqual(self.variables["CHECKOUT"], first)
        self.assertEqual(files_of(self.variables["CHECKOUT"]), ["a"])
        self.assertEqual(files_of(self.tree), ["a"])

    async def test_the_copy_goes_with_the_run(self) -> None:
        run = self.run_of(0)
        await self.load(run)
        await run.cleanup()
        self.assertEqual(os.listdir(self.scratch), [])

    async def test_users_of_runs_can_write_to_their_own_copy_and_find_no_other(self) -> None:
        run = self.run_of(0, for_others=True)
        await self.load(run)
        copy = self.variables["CHECKOUT"]
        modes = [os.stat(path).st_mode & 0o777 for path in (os.path.dirname(copy), copy)]
        self.assertEqual((modes, os.path.dirname(os.path.dirname(copy))), ([0o711, 0o777], self.scratch))
        self.assertGreaterEqual(len(os.path.basename(copy)), 32)
        await run.cleanup()
        self.assertEqual(os.listdir(self.scratch), [])

    async def test_a_copy_that_cannot_be_made_is_not_the_tasks_fault(self) -> None:
        os.rmdir(self.scratch)
        os.symlink("nowhere/at/all", self.scratch)
        run = self.run_of(0)
        await self.assertFailure(self.load(run), ResourceUnavailable)
