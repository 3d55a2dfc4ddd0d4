"""Undoes the content encoding C{gzip}, some memory at a time."""

from __future__ import annotations

from isal import isal_zlib

from tcworker.download.passing import Hopeless

MOST = 1 << 20
"""Bytes that come out at a time: a few that go in may become a thousand times as many."""

_GZIP = 31


class Gunzip:
    """A stream of gzip, of one member or several."""

    def __init__(self) -> None:
        self._member = isal_zlib.decompressobj(_GZIP)
        self._left = b""
        self._fed = self._more = False

    @property
    def complete(self) -> bool:
        """Whether what was given ends where a stream may end; nothing at all is a stream of nothing."""
        return not self._fed or (self._member.eof and not self._left)

    def give(self, data: bytes) -> None:
        """Take the next piece."""
        self._fed = True
        self._left += data

    def take(self) -> bytes:
        """Give what comes next, empty when the next piece is needed. Raises L{Hopeless} for what is no gzip."""
        while self._left or self._more:
            # More may follow: some storages put together what was uploaded in parts.
            if self._member.eof:
                self._member = isal_zlib.decompressobj(_GZIP)
            out = self._decompress()
            # All that went in may be taken, and the rest of what it becomes still wait inside.
            self._more = len(out) == MOST and not self._member.eof
            if out:
                return out
        return b""

    def _decompress(self) -> bytes:
        try:
            out: bytes = self._member.decompress(self._left, MOST)
        except isal_zlib.error as error:  # type: ignore[misc]  # typed as an instance, it is a class
            raise Hopeless(f"its server says that its content encoding is gzip, but it is not: {error}") from error
        self._left = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return out
