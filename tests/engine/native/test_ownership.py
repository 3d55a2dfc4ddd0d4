"""Whose the content of a cache is."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.engine.native.ownership import Stopped, give, is_one_users, mark_mixed, owner_of
from tcworker.removal import remove
from tests.surroundings import only_root

FIRST, SECOND = (39311, 39311), (39312, 39312)


def never() -> bool:
    return False


class OwnershipCase(SynchronousTestCase):
    """With a cache of somebody's."""

    def setUp(self):
        only_root()
        self.cache = os.path.abspath(self.mktemp())
        self.make("", "file", "a/b/file", "a/other")
        self.own(FIRST)

    def make(self, *paths: str) -> None:
        for path in paths:
            place = os.path.join(self.cache, path)
            if path.endswith(("file", "other")):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "w"):
                    pass
            else:
                os.makedirs(place, exist_ok=True)

    def own(self, owner: tuple[int, int]) -> None:
        for folder, folders, files in os.walk(self.cache):
            for name in (".", *folders, *files):
                os.chown(os.path.join(folder, name), *owner, follow_symlinks=False)

    def owners(self) -> set[int]:
        found = {os.lstat(self.cache).st_uid}
        for folder, folders, files in os.walk(self.cache):
            found |= {os.lstat(os.path.join(folder, name)).st_uid for name in (*folders, *files)}
        return found


class GiveTests(OwnershipCase):
    """To another one."""

    def test_all_of_it(self):
        give(self.cache, SECOND, never)
        self.assertEqual(self.owners(), {SECOND[0]})
        self.assertEqual(owner_of(self.cache), SECOND)

    def test_nothing_is_looked_at_that_is_ones_own(self):
        """However much it is: that is told by the top alone."""
        os.chown(os.path.join(self.cache, "file"), *SECOND)
        give(self.cache, FIRST, lambda: self.fail("it walks"))
        self.assertEqual(self.owners(), {FIRST[0], SECOND[0]})

    def test_links_are_given_and_not_followed(self):
        outside = os.path.abspath(self.mktemp())
        with open(outside, "w"):
            pass
        os.symlink(outside, os.path.join(self.cache, "link"))
        os.symlink("/", os.path.join(self.cache, "root"))
        self.own(FIRST)
        give(self.cache, SECOND, never)
        self.assertEqual(os.stat(outside).st_uid, 0)
        self.assertEqual(os.lstat(os.path.join(self.cache, "link")).st_uid, SECOND[0])

    def test_what_somebody_else_owns_and_the_task_linked(self):
        """Where the kernel lets it, a task has another name for a file of the machine."""
        outside = os.path.abspath(self.mktemp())
        with open(outside, "w"):
            pass
        os.link(outside, os.path.join(self.cache, "linked"))
        give(self.cache, SECOND, never)
        self.assertEqual(os.stat(outside).st_uid, 0)
        mark_mixed(self.cache)
        give(self.cache, FIRST, never)
        self.assertEqual(os.stat(outside).st_uid, 0)

    def test_files_with_two_names_of_their_own(self):
        os.link(os.path.join(self.cache, "file"), os.path.join(self.cache, "a/b/second-file"))
        give(self.cache, SECOND, never)
        self.assertEqual(self.owners(), {SECOND[0]})

    def test_mixed_ones(self):
        os.chown(os.path.join(self.cache, "file"), *SECOND)
        os.chown(os.path.join(self.cache, "a/other"), 0, 0)
        mark_mixed(self.cache)
        give(self.cache, FIRST, never)
        self.assertEqual(self.owners(), {FIRST[0]})

    def test_rights_by_files_go(self):
        """A file that made its runner into its owner must not do so for the next one."""
        path = os.path.join(self.cache, "file")
        os.chmod(path, 0o6755)
        give(self.cache, SECOND, never)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o755)

    def test_one_that_was_broken_off(self):
        """Is told from one that was not."""
        asked: list[int] = []

        def stopped() -> bool:
            asked.append(1)
            return len(asked) > 1

        with self.assertRaises(Stopped):
            give(self.cache, SECOND, stopped)
        self.assertFalse(is_one_users(owner_of(self.cache)))
        give(self.cache, SECOND, never)
        self.assertEqual(self.owners(), {SECOND[0]})

    def test_a_folder_that_somebody_moves_meanwhile(self):
        """A task can have got a descriptor of it from the one before."""
        self.make("a/c/file")
        outside = os.path.abspath(self.mktemp())
        for name in ("b", "c"):
            os.makedirs(os.path.join(outside, name))
        moved = []

        def move() -> bool:
            # In one of two folders beside each other, of which the other one is still to come.
            if len(moved) == 2:
                for name in ("b", "c"):
                    os.rename(os.path.join(self.cache, "a", name), os.path.join(outside, f"was-{name}"))
            moved.append(1)
            return False

        self.assertRaises(OSError, give, self.cache, SECOND, move)
        self.assertEqual({os.lstat(os.path.join(outside, name)).st_uid for name in ("b", "c")}, {0})
        self.assertEqual(owner_of(self.cache)[0], 0)

    def test_deep_and_wide(self):
        """Deeper than any path may be long, and with no more than some descriptors."""
        self.addCleanup(remove, self.cache)
        folder = os.open(self.cache, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("folder", dir_fd=folder)
            os.chown("folder", *FIRST, dir_fd=folder)
            below = os.open("folder", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        for number in range(50):
            os.mkdir(f"{number}", dir_fd=folder)
        give(self.cache, SECOND, never)
        self.assertEqual(os.fstat(folder).st_uid, SECOND[0])
        os.close(folder)
