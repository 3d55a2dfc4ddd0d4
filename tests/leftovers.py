"""What is left of a process that should be gone: the processes of its group, and those that have its mark."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of this machine."""

    pid: int
    command: str

    def kill(self) -> None:
        """End it, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def left_of(group: int, mark: str) -> list[Process]:
    """Give the processes of a group, and those elsewhere that still have what the group's environment has.

    @param mark: C{NAME=value}, which nobody else has. It is with those who have left their group and their parents.
    """
    return list(_found(group, mark.encode()))


def end(group: int, mark: str, patience: float) -> list[Process]:
    """Wait until nothing is left, or else kill what is.

    @param patience: how long to wait, in seconds.
    @return: what was killed.
    """
    give_up = time.monotonic() + patience
    while left_of(group, mark) and time.monotonic() < give_up:
        time.sleep(0.05)
    killed: dict[int, Process] = {}
    while left := left_of(group, mark):
        # Of one that is ending, the kernel no longer says what it was.
        killed = {**{one.pid: one for one in left}, **killed}
        for one in left:
            one.kill()
        time.sleep(0.01)
    return list(killed.values())


def _found(group: int, mark: bytes) -> Iterator[Process]:
    for folder in Path("/proc").glob("[0-9]*"):
        # Of those who are gone meanwhile, and of other people's.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            # The name, in parentheses, may have any character in it.
            state, _, its_group = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
            if state in "ZX":
                continue
            if int(its_group) == group or mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                yield Process(int(folder.name), command)
