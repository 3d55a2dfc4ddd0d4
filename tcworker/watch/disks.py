"""How much room there is on disks, and how much there must be. For threads: a disk may take its time to answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tcworker.config import Config

MEGABYTE = 2**20

LEAST_FOR_STATE = 8
"""Megabytes without which no run's state and log can be kept, whatever the configuration asks for: each task that is
claimed all the same would end as an exception."""

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
        size, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        return cls(device, size, free, found.f_files, found.f_favail)

    @property
    def files_lacking(self) -> int:
        """How many files more must fit on it than do."""
        return max(0, min(FILES, self.files // _HUNDREDTH) - self.free_files) if self.files else 0

    def lack(self, path: str, needed: int) -> str:
        """Say what it lacks, as the disk of a folder that needs so many bytes; nothing if it has enough."""
        if self.free < needed:
            free, megabytes = self.free // MEGABYTE, needed // MEGABYTE
            lacking = f"{megabytes - free} MiB less than the {megabytes} that a task needs there"
            return f"the disk of {path} has {free} MiB free, {lacking}"
        if lacks := self.files_lacking:
            return (
                f"the disk of {path} has room for {self.free_files} files more, {lacks} less than it must (see df -i)"
            )
        return ""


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
            return Disk.of(self.path).lack(self.path, self.free)
        except OSError as error:
            return f"nobody knows how much is free on the disk of {self.path} ({error.strerror})"


def needs_of(config: Config) -> Sequence[Need]:
    """What must be free before a task is claimed (C{requiredDiskSpaceMegabytes}), for tasks and for what is kept."""
    needed = config.required_disk_space_megabytes
    state = max(needed, LEAST_FOR_STATE)
    return [Need(config.tasks_dir, needed * MEGABYTE), Need(config.state_dir, state * MEGABYTE)]
