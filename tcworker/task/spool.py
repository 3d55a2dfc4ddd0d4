"""What is written little by little and read as a whole: in memory while it is little, else in a file nobody finds."""

from __future__ import annotations

import os

from tcworker.filebody import DescriptorFile, MemoryFile
from tcworker.interfaces import IArchivedFile
from tcworker.launcher.sink import write_all
from tcworker.task.log_raw import unnamed_file

MOST_IN_MEMORY = 64 * 1024
"""Bytes; to make a file and to free it takes longer than all else that is done with a short log."""


class Spool:
    """Something that is being written, by one thread at a time. What the disk does not take raises C{OSError}.

    @param folder: on whose file system the file is, once there is one.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._memory = bytearray()
        self._descriptor: int | None = None

    def write(self, data: bytes) -> None:
        """Append some bytes."""
        if self._descriptor is None and len(self._memory) + len(data) <= MOST_IN_MEMORY:
            self._memory += data
        else:
            write_all(self._open(), data)

    def clear(self) -> None:
        """Let it be empty again."""
        self._memory.clear()
        if self._descriptor is not None:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.ftruncate(self._descriptor, 0)

    def file(self, path: str) -> IArchivedFile:
        """Give what was written as a file that says to have this path; nothing is written after that."""
        if self._descriptor is None:
            return MemoryFile(path, bytes(self._memory))
        return DescriptorFile(path, os.dup(self._descriptor))

    def close(self) -> None:
        """Keep nothing; a file that was given stays."""
        self._memory.clear()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            descriptor = unnamed_file(self._folder)
            try:
                write_all(descriptor, bytes(self._memory))
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            self._memory.clear()
        return self._descriptor
