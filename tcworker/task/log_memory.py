"""A log that goes where it must although the disk has no room for it: its beginning, compressed in memory."""

from __future__ import annotations

from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.client.bodies import BytesBody
from tcworker.interfaces import IArchivedFile
from tcworker.task.log_framing import error
from tcworker.task.log_gzip import GzipStream, LogReader

_STEPS = 4
"""Of a few MB each; what is compressed of them is a few MB at the worst."""


@implementer(IArchivedFile)
class MemoryFile:
    """A small file in memory."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.size = len(data)
        self._data = data

    def open(self) -> IBodyProducer:
        """See L{IArchivedFile.open}."""
        return BytesBody(self._data)

    def close(self) -> None:
        """See L{IArchivedFile.close}."""


def compress_in_memory(reader: LogReader, path: str) -> tuple[MemoryFile, int]:
    """Compress the beginning of a log; give the file, and how many bytes it had before."""
    pieces: list[bytes] = []
    stream = GzipStream(reader, pieces.append, pieces.clear)
    for _ in range(_STEPS):
        stream.step()
    stream.finish(b"\n" + error("the disk was full: this log may be incomplete"))
    return MemoryFile(path, b"".join(pieces)), stream.length
