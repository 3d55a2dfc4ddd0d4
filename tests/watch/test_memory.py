"""The memory of the machine."""

from __future__ import annotations

import os
import sys
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tcworker.watch.memory import Memory, read_memory


class ReadMemory(SynchronousTestCase):
    """Of a kernel's text."""

    def read(self, text: str) -> Memory | None:
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return read_memory(path)

    def test_what_there_is_and_what_is_left(self) -> None:
        memory = self.read("MemTotal:   1000 kB\nMemFree:  10 kB\nMemAvailable:  250 kB\nHugePages_Total: 0\n")
        self.assertEqual(memory, Memory(1024000, 256000))
        assert memory is not None
        self.assertEqual(memory.used_percent, 75.0)

    def test_a_kernel_that_does_not_say_what_is_left(self) -> None:
        self.assertIsNone(self.read("MemTotal:       1000 kB\nMemFree:     10 kB\n"))

    def test_what_makes_no_sense(self) -> None:
        for text in (
            "",
            "no colon\n",
            "MemTotal: a\nMemAvailable: b\n",
            "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
        ):
            self.assertIsNone(self.read(text), text)

    def test_a_system_without_such_a_file(self) -> None:
        self.assertIsNone(read_memory(os.path.join(self.mktemp(), "meminfo")))

    @skipUnless(sys.platform == "linux", "asks the kernel of Linux")
    def test_this_machine(self) -> None:
        memory = read_memory()
        assert memory is not None
        self.assertTrue(0 < memory.available <= memory.total)
