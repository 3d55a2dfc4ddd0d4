"""Waiting for descriptors and children."""

from __future__ import annotations

import os
import signal
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher.group import Group
from tcworker.launcher.watch import Watch


class WatchTests(SynchronousTestCase):
    """Of a process that has nothing else to do; afterwards the signal is the reactor's again."""

    def setUp(self):
        handler = signal.getsignal(signal.SIGCHLD)
        wakeup = signal.set_wakeup_fd(-1)
        self.watch = Watch()
        self.addCleanup(signal.set_wakeup_fd, wakeup)
        self.addCleanup(signal.signal, signal.SIGCHLD, handler)
        self.addCleanup(self.watch.close)
        self.called: list[str] = []
        self.watch.child_died = lambda: self.called.append("child")

    def test_a_descriptor(self):
        reading, writing = os.pipe()
        self.watch.add(reading, lambda: self.called.append("pipe"))
        self.watch.wait(0)
        self.assertEqual(self.called, [])
        os.write(writing, b"x")
        self.watch.wait()
        self.assertEqual(self.called, ["pipe"])
        self.watch.remove(reading)
        self.watch.wait(0)
        self.assertEqual(self.called, ["pipe"])
        os.close(reading)
        os.close(writing)

    def test_a_child(self):
        child = subprocess.Popen(["true"])
        while not self.called:
            self.watch.wait(10)
        self.assertEqual(child.wait(), 0)
        self.watch.wait(0)
        self.assertEqual(self.called, ["child"])


class Groups:
    """A system with control groups, of which some operations may fail."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.done = failing, list[str]()

    def enter_group(self, path: str) -> None:
        self._do("enter")

    def leave_group(self, path: str) -> None:
        self._do("leave")

    def remove_group(self, path: str) -> bool:
        self._do("remove")
        return True

    def _do(self, what: str) -> None:
        if what in self.failing:
            raise OSError(what)
        self.done.append(what)


class GroupTests(SynchronousTestCase):
    """Whoever kills a group must not be in it."""

    def test_left_to_kill_and_entered_again(self):
        system = Groups()
        group = Group(system, "/g")
        group.enter()
        self.assertEqual((group.leave(), group.leave()), ("/g", "/g"))
        group.enter()
        group.remove()
        self.assertEqual(system.done, ["enter", "leave", "enter", "leave", "remove"])

    def test_one_that_cannot_be_left_is_not_killed(self):
        group = Group(Groups("leave"), "/g")
        group.enter()
        self.assertIsNone(group.leave())

    def test_one_that_cannot_be_entered_is_none(self):
        system = Groups("enter")
        group = Group(system, "/g")
        group.enter()
        self.assertEqual((group.path, system.done), (None, ["remove"]))

    def test_none(self):
        system = Groups()
        group = Group(system, None)
        group.enter()
        self.assertIsNone(group.leave())
        group.remove()
        self.assertEqual(system.done, [])
