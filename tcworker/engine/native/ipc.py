"""The IPC objects of a user: those of System V, and the message queues of POSIX. For threads: it blocks.

The rest of POSIX's is files in /dev/shm (L{tcworker.engine.native.shared_folders}).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Sequence

_IPC_RMID = 0
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CREATE = 6
_QUEUES = "/dev/mqueue"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def has_ipc(uid: int) -> bool:
    """Whether a user made any object that is still there.

    Who owns one counts for nothing: an owner can say that it is somebody else.
    """
    return any(_made_by(kind, uid) for kind in ("shm", "sem", "msg"))


def remove_ipc(uid: int) -> None:
    """Remove what a user made."""
    libc = ctypes.CDLL(None, use_errno=True)
    for identifier in _made_by("shm", uid):
        libc.shmctl(identifier, _IPC_RMID, None)
    for identifier in _made_by("sem", uid):
        libc.semctl(identifier, 0, _IPC_RMID)
    for identifier in _made_by("msg", uid):
        libc.msgctl(identifier, _IPC_RMID, None)
    _remove_queues(uid)


def _made_by(kind: str, uid: int) -> Sequence[int]:
    """The identifiers of a kind of System V's objects."""
    with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}") as file:
        creator = file.readline().split().index("cuid")
        rows = [line.split() for line in file]
        return [int(row[1]) for row in rows if row[creator] == str(uid)]
    return []


def _remove_queues(uid: int) -> None:
    if (folder := _open_queues()) is None:
        return
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.stat(follow_symlinks=False).st_uid == uid]
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def _open_queues() -> int | None:
    """Open the folder of all message queues, C{None} where there is no way to see them."""
    with contextlib.suppress(OSError):
        mounted = _mount_queues()
        try:
            return os.open(".", _FOLDER, dir_fd=mounted)
        finally:
            os.close(mounted)
    # Kernels before 5.2 show them only where somebody has mounted them for all.
    return os.open(_QUEUES, _FOLDER) if os.path.ismount(_QUEUES) else None


def _mount_queues() -> int:
    """Mount them nowhere, for ourselves alone. Raises C{OSError}."""
    context = _call(_FSOPEN, b"mqueue", 0)
    try:
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        return _call(_FSMOUNT, context, 0, 0)
    finally:
        os.close(context)


def _call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
