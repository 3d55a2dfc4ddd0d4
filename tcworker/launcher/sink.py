"""Where the output of a task goes: the raw file, and past half of the log's limit a ring that keeps the end.

The format, which whoever reads the log relies on:

 - The raw file takes the log until it holds half of the limit (C{head_size}); without a limit (0), all of it. Its
   offset is its end; it is written at that offset, which everybody who has the descriptor shares.
 - What comes after goes to the ring file: 8 bytes, little-endian, that count all bytes ever given to the ring, then
   room for C{ring_size} bytes. Byte C{n} of the ring's stream stands at C{8 + n % ring_size}. The count is written
   after the bytes that it counts. A file shorter than 8 bytes is a ring that was given nothing.

Both files are open for reading and writing, and neither for appending.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

HEADER = struct.Struct("<Q")
PIECE = 1 << 16
"""Bytes moved at a time; larger pieces are slower."""


def head_size(limit: int) -> int:
    """How many bytes of a log stay in the raw file; C{limit} is not 0."""
    return limit // 2


def ring_size(limit: int) -> int:
    """How many bytes of a log's end the ring keeps; C{limit} is not 0."""
    return limit - limit // 2


class Tail(NamedTuple):
    """What a ring holds.

    @ivar dropped: bytes that were printed between the raw file and the tail, and are gone.
    @ivar pieces: offset and size in the ring file of the bytes that are kept, in order; at most two.
    """

    dropped: int
    pieces: list[tuple[int, int]]

    def read(self, ring: int) -> Iterator[bytes]:
        """Read the bytes from the ring file in order, a piece at a time."""
        for offset, size in self.pieces:
            end = offset + size
            while offset < end and (data := os.pread(ring, min(PIECE, end - offset), offset)):
                yield data
                offset += len(data)


def tail_of(total: int, size: int) -> Tail:
    """Say where the end of the log stands in a ring of C{size} bytes that was given C{total} bytes; pure."""
    if total <= size:
        return Tail(0, [(HEADER.size, total)] if total else [])
    start = total % size
    older, newer = (HEADER.size + start, size - start), (HEADER.size, start)
    return Tail(total - size, [older, newer] if start else [older])


def read_tail(ring: int, limit: int) -> Tail:
    """Say what the ring file of a log with a limit holds."""
    return tail_of(read_total(ring), ring_size(limit)) if limit else Tail(0, [])


def read_total(ring: int) -> int:
    """How many bytes the ring file was ever given."""
    header = os.pread(ring, HEADER.size, 0)
    return int(HEADER.unpack(header)[0]) if len(header) == HEADER.size else 0


Move = Callable[[int, int, int, int | None], int]
"""From a pipe to a file: at most so many bytes, at an offset (C{None}: the file's own); how many it were, 0 at EOF."""


def copy(pipe: int, file: int, most: int, offset: int | None) -> int:
    """Move bytes through memory; see L{Move}."""
    data = os.read(pipe, most)
    write_all(file, data, offset)
    return len(data)


class Sink:
    """Writes a log; from one process at a time.

    @param raw: descriptor of the raw file.
    @param ring: descriptor of the ring file.
    @param limit: see the module.
    """

    def __init__(self, raw: int, ring: int, limit: int, move: Move = copy) -> None:
        self._raw, self._ring = raw, ring
        self._move = move
        self._head = head_size(limit) if limit else None
        self._size = ring_size(limit) if limit else 0
        # Not zero: the worker wrote its first lines itself.
        self._written = os.lseek(raw, 0, os.SEEK_CUR)
        self._total = read_total(ring) if limit else 0

    def take(self, pipe: int) -> int:
        """Move a piece from a pipe to the log, and answer its size, 0 at EOF.

        Raises C{BlockingIOError} for an empty pipe, any other C{OSError} if the log cannot be written.
        """
        if room := self._head_room():
            moved = self._move(pipe, self._raw, room, None)
            self._written += moved
        else:
            moved = self._move(pipe, self._ring, self._ring_room(), self._ring_offset())
            self._count(moved)
        return moved

    def write(self, data: bytes) -> None:
        """Append bytes to the log. Raises C{OSError}."""
        while data:
            if room := self._head_room():
                piece = data[:room]
                write_all(self._raw, piece)
                self._written += len(piece)
            else:
                piece = data[: self._ring_room()]
                write_all(self._ring, piece, self._ring_offset())
                self._count(len(piece))
            data = data[len(piece) :]

    def write_line(self, data: bytes) -> None:
        """Append whole lines, on a new line should the last one have no end. Raises C{OSError}."""
        self.write(data if self._at_line_start() else b"\n" + data)

    def _head_room(self) -> int:
        return PIECE if self._head is None else max(0, min(PIECE, self._head - self._written))

    def _ring_room(self) -> int:
        return min(PIECE, self._size - self._total % self._size)

    def _ring_offset(self) -> int:
        return HEADER.size + self._total % self._size

    def _count(self, moved: int) -> None:
        if moved:
            self._total += moved
            # After the bytes: a reader never counts what is not there.
            os.pwrite(self._ring, HEADER.pack(self._total), 0)

    def _at_line_start(self) -> bool:
        if self._total:
            return os.pread(self._ring, 1, HEADER.size + (self._total - 1) % self._size) == b"\n"
        return not self._written or os.pread(self._raw, 1, self._written - 1) == b"\n"


def write_all(file: int, data: bytes, offset: int | None = None) -> None:
    """Write bytes however many calls it takes, at an offset or where the file's own stands. Raises C{OSError}."""
    while data:
        written = os.write(file, data) if offset is None else os.pwrite(file, data, offset)
        offset = None if offset is None else offset + written
        data = data[written:]
