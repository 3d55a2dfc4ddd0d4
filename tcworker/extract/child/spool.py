"""Archives that have their list of contents at the end, and so must be files before they can be read."""

from __future__ import annotations

import contextlib
import os
from typing import BinaryIO

from tcworker.extract.child.source import Source

_NAME = ".archive"


def spool(source: Source, folder: int) -> BinaryIO:
    """Write all that comes into a file without a name, on the disk of a folder, and give it. Raises C{OSError}."""
    file = os.fdopen(_unnamed(folder), "w+b")
    while piece := source.read():
        file.write(piece)
    file.seek(0)
    return file


def _unnamed(folder: int) -> int:
    with contextlib.suppress(OSError):
        return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
    # Some file systems have none: one with a name for a moment is as good.
    descriptor = os.open(_NAME, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
    os.unlink(_NAME, dir_fd=folder)
    return descriptor
