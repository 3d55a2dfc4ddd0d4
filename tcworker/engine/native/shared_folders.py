"""What a user leaves in the folders that everybody may write to. For threads: it takes its time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from tcworker.removal import remove

SHARED_FOLDERS = (
    "/tmp",
    "/tmp/.X11-unix",
    "/tmp/.ICE-unix",
    "/var/tmp",
    "/dev/shm",
    "/var/crash",
    "/run/lock",
    "/var/mail",
)

SPOOLS = ("/var/spool/cron", "/var/spool/cron/crontabs", "/var/spool/cron/atjobs")
"""Where it stands what is to be started for a user later."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_files(uid: int, folders: Sequence[str]) -> None:
    """Remove what a user owns right in some folders, with all in it.

    @raise OSError: something cannot go; the rest is gone.
    """
    problem: OSError | None = None
    for folder in _open_all(folders):
        for name in _owned_in(folder, uid):
            try:
                remove(name, folder)
            except OSError as error:
                problem = problem or error
    if problem is not None:
        raise problem


def _open_all(folders: Sequence[str]) -> Iterator[int]:
    for path in folders:
        with contextlib.suppress(OSError):
            folder = os.open(path, _FOLDER)
            try:
                # One that somebody else made may be another one in a moment, a link to anywhere for example.
                if os.fstat(folder).st_uid == 0:
                    yield folder
            finally:
                os.close(folder)


def _owned_in(folder: int, uid: int) -> Sequence[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if _owner(entry) == uid]


def _owner(entry: os.DirEntry[str]) -> int | None:
    with contextlib.suppress(OSError):
        return entry.stat(follow_symlinks=False).st_uid
    return None
