"""The calls of Linux by which a process changes the mounts that it sees; each raises C{OSError}."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
NOSUID, NODEV, REMOUNT, BIND, REC, SLAVE = 0x2, 0x4, 0x20, 0x1000, 0x4000, 0x80000
READ_ONLY = 0x1

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
"""The numbers are the same on all machines; the C library has no names for them everywhere."""
_CLONE_TREE, _CLOSE_ON_EXEC, _EMPTY_PATH = 0x1, 0x80000, 0x1000
_FROM_DESCRIPTOR, _TO_DESCRIPTOR = 0x4, 0x40
_SET_READ_ONLY, _SET_NOSUID, _SET_NODEV, _SET_IDMAP = 0x1, 0x2, 0x4, 0x100000
_DETACH = 2


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library that answers a negative number when it fails."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    answer: int = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount something at a path."""
    call("mount", os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())


def detach(mounted: int) -> None:
    """Take away what is mounted, by a descriptor of its top; who uses it still does."""
    call("umount2", os.fsencode(path_of(mounted)), _DETACH)


def path_of(descriptor: int) -> str:
    """A path that leads to exactly what is open, whatever has been mounted there since."""
    return f"/proc/self/fd/{descriptor}"


def clone(folder: int) -> int:
    """Give another mount of a folder, not to be seen anywhere yet, as a descriptor."""
    return _system_call(_OPEN_TREE, folder, b"", _CLONE_TREE | _CLOSE_ON_EXEC | _EMPTY_PATH)


def set_attributes(mounted: int, *, user_namespace: int | None, read_only: bool, plain: bool) -> None:
    """Change a mount that is not to be seen yet.

    @param user_namespace: a descriptor of one; who has a number in it owns what belongs to that number on the disk.
    @param plain: whether no file there gives its owner's rights to who runs it, and none is a device.
    """
    wanted = _Attributes(_SET_READ_ONLY if read_only else 0, 0, 0, user_namespace or 0)
    wanted.set |= (_SET_NOSUID | _SET_NODEV if plain else 0) | (0 if user_namespace is None else _SET_IDMAP)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    _system_call(_MOUNT_SETATTR, mounted, b"", _EMPTY_PATH, ctypes.byref(wanted), size)


def attach(mounted: int, folder: int) -> None:
    """Let a mount be seen on a folder."""
    _system_call(_MOVE_MOUNT, mounted, b"", folder, b"", _FROM_DESCRIPTOR | _TO_DESCRIPTOR)


def _system_call(number: int, *arguments: object) -> int:
    return call("syscall", ctypes.c_long(number), *arguments)
