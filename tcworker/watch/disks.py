"""How much room there is on disks, and how much there must be. For threads: a disk may take its time to answer."""

from __future__ import annotations

import os
from dataclasses import dataclass

MEGABYTE = 2**20

FILES = 10_000
"""How many files more must fit on a disk that has a limit of them, or one in a hundred of all that it may have if that
is less: with many small files it is full though most of its bytes are free."""

_HUNDREDTH = 100


@dataclass(frozen=True)
class Disk:
    """A file system, as one look found it.

    @ivar device: its number, the same for all folders on it.
    @ivar size: in bytes.
    @ivar free: bytes, without those that are kept for root alone.
    @ivar files: how many it may have, 0 where nobody counts.
    @ivar free_files: how many more it may have.
    """

    device: int
    size: int
    free: int
    files: int = 0
    free_files: int = 0

    @classmethod
    def of(cls, path: str) -> Disk:
        """Look at that of a folder. Raises C{OSError}."""
        device, found = os.stat(path).st_dev, os.statvfs(path)
        return cls(
            device, found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail
        )

    @property
    def files_lacking(self) -> int:
        """How many files more must fit on it than do."""
        return max(0, min(FILES, self.files // _HUNDREDTH) - self.free_files) if self.files else 0


@dataclass(frozen=True)
class Need:
    """What must be free on the disk of a folder, in bytes; 0 for nothing."""

    path: str
    free: int

    def lack(self) -> str:
        """Look, and say what lacks; nothing if there is enough."""
        if not self.free:
            return ""
        try:
            return self._lack_on(Disk.of(self.path))
        except OSError as error:
            return f"nobody knows how much is free on the disk of {self.path} ({error.strerror})"

    def _lack_on(self, disk: Disk) -> str:
        if disk.free < self.free:
            free, needed = disk.free // MEGABYTE, self.free // MEGABYTE
            return (
                f"the disk of {self.path} has {free} MiB free, {needed - free} MiB less than the {needed} that a task"
                " needs there"
            )
        if lacking := disk.files_lacking:
            return (
                f"the disk of {self.path} has room for {disk.free_files} files more, {lacking} less than it must"
                " have (df -i says the same)"
            )
        return ""
