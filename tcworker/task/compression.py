"""gzip as tcworker writes it: fast first of all, for a worker's cores belong to its tasks."""

from __future__ import annotations

import struct

from isal import isal_zlib

_LEVEL = 2
_GZIP = 31
"""The number by which zlib knows gzip with its largest window."""

_RAW = -15
"""The same for what stands between a gzip's header and its end."""

_NAMED = 8


def new_gzip() -> isal_zlib.Compress:
    """Begin to compress a stream."""
    return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)


def new_gunzip() -> isal_zlib.Decompress:
    """Begin to decompress a stream."""
    return isal_zlib.decompressobj(_GZIP)


class NamedGzip:
    """Compresses a stream into a gzip that says what its file was called; as L{new_gzip} otherwise.

    @param name: of the file, without folders.
    """

    def __init__(self, name: str) -> None:
        self._begin = _header(name)
        self._compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
        self._checksum = self._length = 0

    def compress(self, data: bytes) -> bytes:
        """Take a piece."""
        begin, self._begin = self._begin, b""
        self._checksum = isal_zlib.crc32(data, self._checksum)
        self._length += len(data)
        return begin + self._compressor.compress(data)

    def flush(self) -> bytes:
        """Give what is left."""
        end = struct.pack("<II", self._checksum, self._length & 0xFFFFFFFF)
        return self._begin + self._compressor.flush() + end


def _header(name: str) -> bytes:
    """Deflate, perhaps with a name, no time, nothing said of speed or system (RFC 1952, 2.3)."""
    try:
        encoded = name.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        # There is no place for such a name, and none is better than a wrong one.
        encoded = b""
    return struct.pack("<2sBBIBB", b"\x1f\x8b", 8, _NAMED if encoded else 0, 0, 0, 255) + encoded
