"""What is mounted in a task's folder: only one with root's rights can do that, and it does not end with the task."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

from tcworker.launcher.cgroups import unescape

_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8


def unmount_below(folder: str) -> bool:
    """Unmount all that is mounted on a folder or in it; whether something was.

    What is in there stays where else it can be seen. Only Linux's root can do this; others have no such mounts.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    done = [_unmount(point) for point in _mounted_below(os.path.realpath(folder))]
    return any(done)


def _mounted_below(folder: str) -> Sequence[str]:
    """The last one first, for it may lie on another."""
    with open("/proc/self/mountinfo") as file:
        points = [unescape(line.split(" ")[4]) for line in file]
    return [point for point in reversed(points) if point == folder or point.startswith(f"{folder}/")]


def _unmount(point: str) -> bool:
    # Whoever still has something open there goes on; nobody finds it any more.
    failed: int = ctypes.CDLL(None).umount2(os.fsencode(point), _MNT_DETACH | _UMOUNT_NOFOLLOW)
    return failed == 0
