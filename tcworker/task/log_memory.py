"""A log that goes where it must although the disk has no room for it: its beginning, compressed in memory."""

from __future__ import annotations

import os

from tcworker.filebody import MemoryFile
from tcworker.task.log_framing import error
from tcworker.task.log_gzip import GzipStream, LogReader

_MOST = 16_000_000
"""Bytes of the log, more or less; what is compressed of them is a few MB at the worst."""


def compress_in_memory(reader: LogReader, path: str, last: bytes) -> tuple[MemoryFile, int]:
    """Compress the beginning of a log; give the file, and how many bytes it had before.

    @param last: lines that the raw log has no room for: most of all why the run ends.
    """
    pieces: list[bytes] = []
    stream = GzipStream(reader, pieces.append, pieces.clear)
    # Not all of it: a log may be longer than there is memory.
    before = -1
    while before < reader.offset < _MOST:
        before = reader.offset
        stream.step()
    full = f"the disk was full, at {os.path.dirname(path)}: this log may be incomplete"
    stream.finish(b"\n" + error(full) + last)
    return MemoryFile(path, b"".join(pieces)), stream.length
