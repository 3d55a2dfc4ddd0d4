"""What it means for a run that a disk does not do something: it is full, or broken. For threads."""

from __future__ import annotations

import os
from collections.abc import Callable

from tcworker.cache.disk_use import disk_use
from tcworker.engine.attached import Attached, Kind
from tcworker.errors import Cause, ResourceUnavailable, TaskError
from tcworker.task.outcome import broken_disk, full_disk, on_broken_disk
from tcworker.watch.disks import MEGABYTE, Disk


class NoRoom(ResourceUnavailable):
    """There is no room for something that is attached to a run.

    @ivar too_large: is to be told, if it is a cache that would have to be copied to that disk; else C{None}.
    """

    too_large: Callable[[], None] | None = None

    @classmethod
    def on_disk(cls, folder: str, what: str, error: OSError) -> NoRoom:
        """Say what has no room on the disk of a folder, which is full."""
        problem = error.strerror or str(error)
        message = f"{what}: the disk of {folder} is full{_free(folder)} ({problem})"
        return cls(message, cause=Cause.NO_DISK, evidence={"path": folder, "error": problem})


def as_task_error(what: str, error: OSError, path: str) -> TaskError:
    """Give what an error of the disk means for a run.

    @param what: could not be done, for people.
    @param path: what was to be written.
    """
    message = f"{what}: {error.strerror or error}"
    if full_disk(error):
        return ResourceUnavailable.no_disk(message, path, error)
    if (broken := broken_disk(error)) is not None:
        return on_broken_disk(message, path, broken[1])
    return ResourceUnavailable(message)


def described(attached: Attached, path: str) -> str:
    """Give what is attached in words, with its size.

    @param path: where it is now.
    """
    if attached.folder is None:
        return f"the file ({_megabytes(_size_of_file(path))})"
    what = f"cache {attached.folder.name}" if attached.kind is Kind.CACHE else "the folder"
    return f"{what} ({_megabytes(_size_of_folder(path))})"


def _size_of_folder(path: str) -> int:
    # A task may have made more of it since somebody measured.
    try:
        return disk_use(path)
    except OSError:
        return 0


def _size_of_file(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _free(folder: str) -> str:
    try:
        disk = Disk.of(folder)
    except OSError:
        return ""
    return f", with {_megabytes(disk.free)} of {_megabytes(disk.size)} free"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MiB"
