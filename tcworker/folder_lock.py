"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
import os

LOCK = "lock"


class FolderTaken(Exception):
    """Another process has the folder.

    @ivar pid: of that process, as text; C{unknown} while it has not written it.
    """

    def __init__(self, folder: str, pid: str) -> None:
        super().__init__(f"{folder} is in use by process {pid}")
        self.folder = folder
        self.pid = pid


def take(folder: str) -> int:
    """Take a folder for as long as the descriptor that is given stays open. Raises L{FolderTaken} or C{OSError}."""
    file = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # The kernel takes it back from a dead process, so that no lock is ever left behind.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Who holds the lock has written it, or is about to.
        pid = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        raise FolderTaken(folder, pid or "unknown") from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file
