"""Waiting for descriptors and children."""

from __future__ import annotations

import os
import signal
import subprocess

from twisted.trial.unittest import SynchronousTestCase

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
