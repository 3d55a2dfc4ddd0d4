"""Undoes the content encoding C{gzip}, some memory at a time."""

from __future__ import annotations

from isal import isal_zlib

from tcworker.download.passing import Hopeless

MOST = 1 << 20
"""Bytes that come out at a time: a few that go in may become a thousand times as many."""

_GZIP = 31

_PART = 4096
"""Bytes that go in at a time: what follows the end of a member is copied, and a member may be 20 bytes long."""


class Gunzip:
    """A stream of gzip, of one member or several."""

    def __init__(self) -> None:
        self._member = isal_zlib.decompressobj(_GZIP)
        self._left = memoryview(b"")
        self._fed = self._more = False

    @property
    def complete(self) -> bool:
        """Whether what was given ends where a stream may end; nothing at all is a stream of nothing."""
        return not self._fed or (self._member.eof and not self._left)

    def give(self, data: bytes) -> None:
        """Take the next piece."""
        self._fed = True
        self._left = memoryview(bytes(self._left) + data)

    def take(self) -> bytes:
        """Give what comes next, empty when the next piece is needed. Raises L{Hopeless} for what is no gzip."""
        pieces, room = [], MOST
        while room and (self._left or self._more):
            # More may follow: some storages put together what was uploaded in parts.
            if self._member.eof:
                self._member = isal_zlib.decompressobj(_GZIP)
            out = self._decompress(room)
            # All that went in may be taken, and the rest of what it becomes still wait inside.
            self._more = len(out) == room and not self._member.eof
            pieces.append(out)
            room -= len(out)
        return b"".join(pieces)

    def _decompress(self, room: int) -> bytes:
        part = self._left[:_PART]
        try:
            out: bytes = self._member.decompress(part, room)
        except isal_zlib.error as error:  # type: ignore[misc]  # typed as an instance, it is a class
            raise Hopeless(f"its server says that its content encoding is gzip, but it is not: {error}") from error
        rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        self._left = self._left[len(part) - len(rest) :]
        return out
