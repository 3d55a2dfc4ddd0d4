"""Lzip, by the decoder of xz: a header of 6 bytes, LZMA with its fixed parameters, a trailer of 20."""

from __future__ import annotations

import lzma
import struct
from zlib import crc32

MAGIC = b"LZIP\x01"
_HEADER = len(MAGIC) + 1
_TRAILER = struct.Struct("<LQQ")


class LzipDecompressor:
    """One member of a lzip file, in the way of L{lzma.LZMADecompressor}."""

    def __init__(self) -> None:
        self.eof, self.needs_input, self.unused_data = False, True, b""
        self._waiting = b""
        self._crc = self._size = 0
        self._read = _HEADER
        self._decoder: lzma.LZMADecompressor | None = None

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give some of what comes out. Raises L{lzma.LZMAError}."""
        if self._decoder is None:
            self._waiting += data
            if len(self._waiting) < _HEADER:
                return b""
            self._decoder = _decoder(self._waiting[:_HEADER])
            data, self._waiting = self._waiting[_HEADER:], b""
        piece = b""
        if not self._decoder.eof:
            self._read += len(data)
            piece = self._decoder.decompress(data, max_length)
            self._crc, self._size = crc32(piece, self._crc), self._size + len(piece)
            data = self._decoder.unused_data
            self._read -= len(data)
        if self._decoder.eof:
            self._end(data)
        self.needs_input = self._decoder.eof or self._decoder.needs_input
        return piece

    def _end(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) < _TRAILER.size:
            return
        if _TRAILER.unpack_from(self._waiting) != (self._crc, self._size, self._read + _TRAILER.size):
            raise lzma.LZMAError("its checksum or its size is another")
        self.eof, self.unused_data = True, self._waiting[_TRAILER.size :]


def _decoder(header: bytes) -> lzma.LZMADecompressor:
    if not header.startswith(MAGIC):
        raise lzma.LZMAError("it is no lzip file of version 1")
    size = 1 << (header[5] & 31)
    size -= (size >> 4) * (header[5] >> 5)
    if not 1 << 12 <= size <= 1 << 29:
        raise lzma.LZMAError("its dictionary has no possible size")
    # The parameters are the format's own, and none of a file.
    only = {"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": 3, "lp": 0, "pb": 2}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[only])
