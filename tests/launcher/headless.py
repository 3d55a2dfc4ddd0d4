"""Processes whose first thread has ended while another goes on: they look dead, and are not."""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SkipTest

_SYS_EXIT = {"x86_64": 60, "aarch64": 93, "riscv64": 93, "ppc64le": 1, "s390x": 1}

_PROGRAM = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
ctypes.CDLL(None).syscall({number}, 0)
"""


def headless() -> list[str]:
    """The command of one, which lives for an hour."""
    number = _SYS_EXIT.get(os.uname().machine) if sys.platform == "linux" else None
    if number is None:
        raise SkipTest("no thread can end alone here")
    return [sys.executable, "-I", "-S", "-c", _PROGRAM.format(number=number)]


def is_headless(pid: int) -> bool:
    """Whether a process has become one."""
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.partition(":")[::2] for line in status)
    return "Z" in fields["State"] and int(fields["Threads"]) > 1
