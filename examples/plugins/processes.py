"""Finds and kills all processes of one run, wherever they went, by a variable in their environment.

Good enough for a command that the operator trusts. Strangers' code can change its environment: the native platform
has a supervisor and control groups instead.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

MARK = "SCRIPT_RUN"


def kill_all(mark: str) -> None:
    """Kill until nobody is left: one that is forking may have a child that was not there a moment ago. Blocks."""
    while pids := list(processes(mark)):
        for pid in pids:
            send(pid, signal.SIGKILL)
        time.sleep(0.002)


def processes(mark: str) -> Iterator[int]:
    """The processes of one run."""
    wanted = f"{MARK}={mark}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and wanted in _environment(name):
            yield int(name)


def send(pid: int, number: int) -> None:
    """Send a signal to whoever is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _environment(pid: str) -> list[bytes]:
    # Not ours to read, or gone since the folder was listed.
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return file.read().split(b"\0")
    return []
