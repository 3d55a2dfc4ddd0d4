"""The log's way out of the machine: read as it grows, masked, compressed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from tcworker.task.compression import new_gzip
from tcworker.task.masking import Masker, ends_within

PIECE = 256 * 1024
"""What is read and compressed at a time: the interpreter's lock is held for much less."""

_PIECES_A_STEP = 16


class LogReader:
    """Reads a raw log from its beginning, piece by piece, masked.

    @param descriptor: of the raw file, whose offset is left alone.
    @param secrets: what to mask; more may be appended at any time.
    @ivar offset: how much of the raw file was read.
    """

    def __init__(self, descriptor: int, secrets: Sequence[bytes]) -> None:
        self.offset = 0
        self._descriptor = descriptor
        self._secrets = secrets
        self._known = 0
        self._masker = Masker()

    @property
    def has_new_secrets(self) -> bool:
        """Whether some came since L{new_secrets} was last called."""
        return len(self._secrets) > self._known

    def new_secrets(self) -> Sequence[bytes]:
        """Those that came since this was last called; from now on they are masked."""
        new = self._secrets[self._known :]
        if new:
            self._known += len(new)
            self._masker.replace_secrets(self._secrets[: self._known])
        return new

    def read(self) -> bytes | None:
        """Give the next piece, perhaps an empty one; C{None} at the end of what is there."""
        data = os.pread(self._descriptor, PIECE, self.offset)
        self.offset += len(data)
        return self._masker.feed(data) if data else None

    def rest(self, more: bytes = b"") -> bytes:
        """What was held back lest it became a secret, and some bytes that are not in the raw file, masked as well."""
        return self._masker.feed(more) + self._masker.flush()

    def has_passed(self, secret: bytes) -> bool:
        """Whether a secret, or the beginning of it, is in what was already read."""
        at, before = 0, b""
        while at < self.offset:
            data = before + os.pread(self._descriptor, min(PIECE, self.offset - at), at)
            if secret in data:
                return True
            # The end of one piece is looked at again with the next: a secret may lie across both.
            at += len(data) - len(before)
            before = data[-len(secret) :]
        return ends_within(before, secret)

    def rewind(self) -> None:
        """Begin anew."""
        self.offset = 0
        self._masker.flush()


class GzipStream:
    """Compresses a raw log while it is written.

    Not to be used in two threads at a time.

    @param write: takes what is compressed; @param truncate: takes it all away again.
    @ivar length: bytes before compression, so far.
    """

    def __init__(self, reader: LogReader, write: Callable[[bytes], None], truncate: Callable[[], None]) -> None:
        self.length = 0
        self._reader = reader
        self._write = write
        self._truncate = truncate
        self._compressor = new_gzip()

    def behind(self, size: int) -> int:
        """How many bytes of a raw log that now has C{size} bytes are to be read, for compression or for new secrets."""
        done = self._reader.offset
        # A new secret may be in what was read long ago, so that all of it counts once more.
        return size - done + (done if self._reader.has_new_secrets else 0)

    def step(self) -> None:
        """Compress some of what has come; all, if it is little.

        A secret that came too late, when it was already compressed, makes it begin anew.
        """
        for _ in range(_PIECES_A_STEP):
            # Secrets are appended by the reactor's thread while this runs: look before each piece.
            if any(map(self._reader.has_passed, self._reader.new_secrets())):
                self.restart()
            piece = self._reader.read()
            if piece is None:
                return
            self._compress(piece)

    def finish(self, more: bytes = b"") -> None:
        """End the stream, after some bytes that are not in the raw log."""
        self._compress(self._reader.rest(more))
        self._write(self._compressor.flush())

    def restart(self) -> None:
        """Compress from the beginning of the log again."""
        # A gzip stream cannot be mended in its middle.
        self._reader.rewind()
        self._truncate()
        self._compressor = new_gzip()
        self.length = 0

    def _compress(self, data: bytes) -> None:
        self.length += len(data)
        if compressed := self._compressor.compress(data):
            self._write(compressed)
