"""What a user leaves on a machine: processes, IPC objects, and files in the folders that everybody may write to.

For threads: it all blocks. Nothing of it raises for what somebody else took away meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

from tcworker.removal import remove

SHARED_FOLDERS = (
    "/tmp",
    "/tmp/.X11-unix",
    "/tmp/.ICE-unix",
    "/var/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/var/crash",
    "/run/lock",
    "/var/mail",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
    "/var/spool/cron/atjobs",
)
"""Folders in which any user may have files of its own."""

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""

_IPC_RMID = 0


def processes_of(uid: int) -> set[int]:
    """Those that live and have a number among theirs: real, effective, saved, or for files."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and _belongs(name, uid)}


def kill_processes(uid: int) -> set[int]:
    """Kill all processes of a user; those that do not die within some seconds are the answer."""
    until = time.monotonic() + _PATIENCE
    pause = 0.001
    while (left := processes_of(uid)) and time.monotonic() < until:
        _kill_all(uid, left)
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    return left


def remove_ipc(uid: int) -> None:
    """Remove a user's shared memory, semaphores and message queues (System V; those of POSIX are files)."""
    libc = ctypes.CDLL(None, use_errno=True)
    for identifier in _ipc_of("shm", uid):
        libc.shmctl(identifier, _IPC_RMID, None)
    for identifier in _ipc_of("sem", uid):
        libc.semctl(identifier, 0, _IPC_RMID)
    for identifier in _ipc_of("msg", uid):
        libc.msgctl(identifier, _IPC_RMID, None)


def has_ipc(uid: int) -> bool:
    """Whether there is any IPC object of a user."""
    return any(_ipc_of(kind, uid) for kind in ("shm", "sem", "msg"))


def remove_files(uid: int, folders: Sequence[str] = SHARED_FOLDERS) -> None:
    """Remove what a user owns in some folders, with all in it. Raises C{OSError} for what cannot go, after the rest."""
    problem: OSError | None = None
    for path in [path for folder in folders for path in _owned_in(folder, uid)]:
        try:
            remove(path)
        except OSError as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _belongs(pid: str, uid: int) -> bool:
    fields = _status(pid)
    # Who is dead does nothing any more; its parent, whoever that is, has to bury it.
    return b"Z" not in fields.get(b"State", b"Z").split()[:1] and str(uid).encode() in fields[b"Uid"].split()


def _status(pid: str) -> dict[bytes, bytes]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        return dict(line.partition(b":")[::2] for line in file.read().splitlines())
    return {}


def _kill_all(uid: int, pids: set[int]) -> None:
    # In one breath, as that user: one after the other, a bomb forks faster than it dies. Of the process that does it
    # nothing is left either.
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["/bin/sh", "-c", "kill -KILL -1"]
        subprocess.run(command, user=uid, group=uid, extra_groups=[], cwd="/", env={}, check=False, capture_output=True)
    for pid in pids:
        _kill(pid, uid)


def _kill(pid: int, uid: int) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            # It may be a stranger's by now: numbers are used again, descriptors are not.
            if _belongs(str(pid), uid):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def _ipc_of(kind: str, uid: int) -> list[int]:
    """The identifiers of a user's objects."""
    with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}") as file:
        names = file.readline().split()
        columns = [names.index(name) for name in ("uid", "cuid")]
        rows = [line.split() for line in file]
        return [int(row[1]) for row in rows if str(uid) in (row[column] for column in columns)]
    return []


def _owned_in(folder: str, uid: int) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from [entry.path for entry in entries if _owner(entry) == uid]


def _owner(entry: os.DirEntry[str]) -> int | None:
    with contextlib.suppress(OSError):
        return entry.stat(follow_symlinks=False).st_uid
    return None
