"""Which worker a task's folder belongs to: the one that holds a lock on it, which ends with its process in any case.

A folder that has our mark and that nobody holds was left by a worker that died. Numbers of processes would not do: they
are used again, and workers in two containers may share a disk but not their numbers. One without a mark may be about to
get it: only if it stays as it is for some time (L{MARKED_WITHIN}) did its worker die before that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import sys
from collections.abc import Callable
from typing import NamedTuple

MARKED_WITHIN = 2.0
"""Seconds in which a folder has its mark if whoever made it lives; it takes less than a thousandth of one."""

_MARKS = ("trusted.tcworker", "user.tcworker")
"""The first only root can set, and only root take away; the second a folder's owner can, which a task's user is."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

_held: dict[str, int] = {}
"""What this process holds, for all its workers: a lock belongs to the process, too."""


class Unmarked(NamedTuple):
    """A folder that somebody has made, and not marked yet.

    @ivar seen: device, inode and the time of its last change, as far as they were seen: another one at its path has
        others, and so has it itself once it is used.
    """

    path: str
    seen: tuple[int, int, int]


def hold(path: str) -> None:
    """Hold a folder that we have just made, as far as its file system has locks and marks. Raises C{OSError}."""
    folder = os.open(path, _FOLDER)
    # The lock comes first: whoever sees a mark must be able to rely on it.
    if _lock(folder) and _set_mark(folder):
        _held[path] = folder
    else:
        os.close(folder)


def let_go(path: str) -> None:
    """Hold a folder no longer, should we."""
    if (folder := _held.pop(path, None)) is not None:
        os.close(folder)


def take_over(path: str) -> bool:
    """Hold a folder that another process left; false if it was not ours or somebody still holds it."""
    return _take_over(path, lambda folder: _has_mark(folder) and _lock(folder))


def find_unmarked(path: str) -> Unmarked | None:
    """Look at a folder without locking it, which would disturb who is about to; C{None} if it is not L{Unmarked}."""
    if (folder := _open_if_not_ours(path)) is None:
        return None
    try:
        return Unmarked(path, _state(folder)) if _is_bare(folder) else None
    finally:
        os.close(folder)


def take_over_unmarked(left: Unmarked) -> bool:
    """Hold a folder that was found L{MARKED_WITHIN} ago or earlier; false if anything has happened to it since."""

    def takes(folder: int) -> bool:
        # Marked, so that the next worker takes it should we die now; where that cannot be done it stays.
        return _state(folder) == left.seen and _lock(folder) and _is_bare(folder) and _set_mark(folder)

    return _take_over(left.path, takes)


def is_left(path: str) -> bool:
    """Whether L{take_over} would take a folder."""
    left = take_over(path)
    if left:
        let_go(path)
    return left


def held_by_another(path: str) -> bool:
    """Whether a process that is not this one holds a folder."""
    if (folder := _open_if_not_ours(path)) is None:
        return False
    try:
        return _has_mark(folder) and not _lock(folder)
    finally:
        os.close(folder)


def is_held(path: str) -> bool:
    """Whether a process, this one included, holds a folder."""
    return path in _held or held_by_another(path)


def _take_over(path: str, takes: Callable[[int], bool]) -> bool:
    if (folder := _open_if_not_ours(path)) is None:
        return False
    if takes(folder) and _is_there(folder, path):
        _held[path] = folder
        return True
    os.close(folder)
    return False


def _open_if_not_ours(path: str) -> int | None:
    """Open a folder that this process does not hold; C{None} if it does, or cannot."""
    if path in _held:
        return None
    try:
        return os.open(path, _FOLDER)
    except OSError:
        return None


def _lock(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def _set_mark(folder: int) -> bool:
    if sys.platform == "linux":
        for mark in _MARKS:
            with contextlib.suppress(OSError):
                os.setxattr(folder, mark, b"1")
                return True
    return False


def _has_mark(folder: int) -> bool:
    if sys.platform == "linux":
        for mark in _MARKS:
            with contextlib.suppress(OSError):
                return bool(os.getxattr(folder, mark))
    return False


def _state(folder: int) -> tuple[int, int, int]:
    entry = os.fstat(folder)
    return entry.st_dev, entry.st_ino, entry.st_ctime_ns


def _is_bare(folder: int) -> bool:
    """Whether a folder is as workers make theirs (our user's, closed to others), with neither mark nor content."""
    with contextlib.suppress(OSError):
        entry = os.fstat(folder)
        ours = entry.st_uid == os.geteuid() and not stat.S_IMODE(entry.st_mode) & 0o077
        return ours and not _has_mark(folder) and not os.listdir(folder)
    return False


def _is_there(folder: int, path: str) -> bool:
    """Whether it still is what is at its path: who held it before may have removed it, and somebody made another."""
    try:
        return os.path.samestat(os.fstat(folder), os.lstat(path))
    except OSError:
        return False
