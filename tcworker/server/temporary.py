"""The folder of a server that keeps nothing, and what is left of those of servers that were killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tcworker.folder_lock import LOCK

PREFIX = "tcworker-server-"


def make() -> str:
    """Make a folder for one run, which nobody else can look into."""
    return tempfile.mkdtemp(prefix=PREFIX)


def remove_left() -> None:
    """Remove the folders of servers of the same user that are dead: there are tokens and keys in them."""
    for entry in os.scandir(tempfile.gettempdir()):
        if entry.name.startswith(PREFIX):
            # Whatever it is that cannot be removed, it is no reason not to serve.
            with suppress(OSError), _taken_from_dead(entry.path) as dead:
                if dead:
                    shutil.rmtree(entry.path, ignore_errors=True)


@contextmanager
def _taken_from_dead(path: str) -> Iterator[bool]:
    """Have the lock of a server that is dead; gives whether it is one, and of this user. Raises C{OSError}."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not _is_private(os.fstat(folder)):
            yield False
            return
        lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that has just begun makes its lock before it takes it, and says then who it is.
            yield os.fstat(lock).st_size > 0
        finally:
            os.close(lock)
    finally:
        os.close(folder)


def _is_private(folder: os.stat_result) -> bool:
    return folder.st_uid == os.geteuid() and stat.S_IMODE(folder.st_mode) & 0o077 == 0
