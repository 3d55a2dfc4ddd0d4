"""Kills all that has a user's number, whoever started it. For threads: it blocks, though never for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""

_HELPER_PATIENCE = 1.0

_NOBODYS = 2**32 - 3
"""A number that no user has."""

_KILL_ALL = """
import os, sys
user, nobody = map(int, sys.argv[1:])
os.setgroups([])
os.setresgid(nobody, nobody, nobody)
os.setresuid(nobody, user, nobody)
os.kill(-1, 9)
"""


def processes_of(uid: int) -> set[int]:
    """Those that live and have a number among theirs: real, effective, saved, or for files."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and _belongs(name, uid)}


def kill_processes(uid: int) -> set[int]:
    """Kill all processes of a user; those that do not die within some seconds are the answer."""
    until = time.monotonic() + _PATIENCE
    pause = 0.001
    while (left := processes_of(uid)) and time.monotonic() < until:
        _kill_all(uid)
        for pid in left:
            _kill(pid, uid)
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    return left


def _belongs(pid: str, uid: int) -> bool:
    known = _status(pid)
    return _lives(known) and str(uid).encode() in known[b"Uid"].split()


def _lives(known: dict[bytes, bytes]) -> bool:
    """Whether a process does anything any more; who is dead waits for its parent, whoever that is, to bury it."""
    if b"State" not in known:
        return False
    # One whose first thread has ended looks dead, though the others go on.
    return known[b"State"].split()[:1] != [b"Z"] or int(known.get(b"Threads", b"0")) > 1


def _status(pid: str) -> dict[bytes, bytes]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        return dict(line.partition(b":")[::2] for line in file.read().splitlines())
    return {}


def _kill_all(uid: int) -> None:
    """Kill them in one breath: one after the other, a bomb forks faster than it dies."""
    # By somebody who may kill them, and whom they may neither stop nor kill: they see only its real and saved numbers.
    program = [sys.executable, "-I", "-S", "-c", _KILL_ALL, str(uid), str(_NOBODYS)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(program, cwd="/", env={}, check=False, capture_output=True, timeout=_HELPER_PATIENCE)


def _kill(pid: int, uid: int) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            # It may be a stranger's by now: numbers are used again, descriptors are not.
            if _belongs(str(pid), uid):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
