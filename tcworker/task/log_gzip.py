"""The log's way out of the machine: read as it grows, masked, compressed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from tcworker.task.compression import new_gzip
from tcworker.task.masking import Masker
from tcworker.task.masks import LogMasks
from tcworker.task.secret_spans import Literals

PIECE = 256 * 1024
"""What is read and compressed at a time: the interpreter's lock is held for much less."""

_PIECES_A_STEP = 16

_SLOW_PIECES_A_STEP = 1
"""Where patterns are looked for: nobody can stop a step, and a worker may have to go."""


class LogReader:
    """Reads a raw log from its beginning, piece by piece, masked.

    @param descriptor: of the raw file, whose offset is left alone.
    @param masks: what to mask; more literals may come at any time.
    @param gap: where in the raw file something of the log is lost, once that is known: the offset at which what was
        printed ends, and the one at which it goes on; between the two is what the worker says about it.
    @param end: where reading ends, whatever is behind; C{None} for the end of the file.
    @param is_cut: whether the log may end in the midst of anything, because who wrote it died.
    @ivar offset: how much of the raw file was read.
    """

    def __init__(
        self,
        descriptor: int,
        masks: LogMasks,
        gap: Sequence[int] = (),
        *,
        end: int | None = None,
        is_cut: bool = False,
    ) -> None:
        self.offset = 0
        self._end = end
        self._is_cut = is_cut
        self._last = b""
        self._descriptor = descriptor
        self._masks = masks
        self._known = 0
        self._gap = gap
        self._masker = Masker((), list(masks.patterns.values()))

    @property
    def is_slow(self) -> bool:
        """See L{LogMasks.is_slow}."""
        return self._masks.is_slow

    @property
    def at_line_start(self) -> bool:
        """Whether what was read ends with a whole line."""
        return self._last in (b"", b"\n")

    @property
    def has_new_secrets(self) -> bool:
        """Whether some came since L{new_secrets} was last called."""
        return len(self._masks.literals) > self._known

    def new_secrets(self) -> Sequence[bytes]:
        """Those that came since this was last called; from now on they are masked."""
        new = self._masks.literals[self._known :]
        if new:
            self._known += len(new)
            self._masker.replace_literals(self._masks.literals[: self._known])
        return new

    def read(self) -> bytes | None:
        """Give the next piece, perhaps an empty one; C{None} at the end of what is there."""
        given = self._pass_edge()
        data = os.pread(self._descriptor, min(PIECE, self._to_edge()), self.offset)
        self.offset += len(data)
        self._last = data[-1:] or self._last
        return given + self._masker.feed(data) if data else given or None

    def rest(self, more: bytes = b"") -> bytes:
        """What was held back lest it became a secret, and some bytes that are not in the raw file, masked as well."""
        if self._is_cut:
            before = self._masker.flush_before_gap()
            return before + self._masker.feed(more if self.at_line_start else b"\n" + more) + self._masker.flush()
        return self._masker.feed(more) + self._masker.flush()

    def have_passed(self, secrets: Sequence[bytes]) -> bool:
        """Whether one of some secrets, or the beginning of it, is in what was already read."""
        wanted = Literals(secrets)
        at, before = 0, b""
        while at < self.offset:
            data = before + os.pread(self._descriptor, min(PIECE, self.offset - at), at)
            if any(secret in data for secret in secrets):
                return True
            # The end of one piece is looked at again with the next: a secret may lie across both.
            at += len(data) - len(before)
            before = data[-wanted.longest :]
        return wanted.begun(before) < len(before)

    def rewind(self) -> None:
        """Begin anew."""
        self.offset = 0
        self._masker.flush()

    def _to_edge(self) -> int:
        """How far it is to the next edge of the gap, or to the end."""
        edges = self._gap if self._end is None else (self._end,)
        return next((edge - self.offset for edge in edges if edge > self.offset), PIECE if self._end is None else 0)

    def _pass_edge(self) -> bytes:
        """Give what was held back at an edge of the gap; nothing if there is none here."""
        if self.offset not in self._gap:
            return b""
        if self.offset == self._gap[0]:
            # Repeatable: as long as nothing more was read, there is nothing more to give.
            return self._masker.flush_before_gap()
        given = self._masker.flush()
        self._masker.begin_after_gap()
        return given


class GzipStream:
    """Compresses a raw log while it is written.

    Not to be used in two threads at a time.

    @param write: takes what is compressed; @param truncate: takes it all away again.
    @ivar length: bytes before compression, so far.
    @ivar restarts: how often something was found in what was compressed already that must not be seen.
    """

    def __init__(self, reader: LogReader, write: Callable[[bytes], None], truncate: Callable[[], None]) -> None:
        self.length = self.restarts = 0
        self._at_line_start = True
        self._reader = reader
        self._write = write
        self._truncate = truncate
        self._compressor = new_gzip()

    @property
    def offset(self) -> int:
        """How much of the raw log it has read."""
        return self._reader.offset

    def behind(self, size: int) -> int:
        """How many bytes of a raw log that now has C{size} bytes are to be read, for compression or for new secrets."""
        done = self._reader.offset
        # A new secret may be in what was read long ago, so that all of it counts once more.
        return size - done + (done if self._reader.has_new_secrets else 0)

    def step(self) -> None:
        """Compress some of what has come.

        A secret that came too late, when it was already compressed, makes it begin anew.
        """
        for _ in range(_SLOW_PIECES_A_STEP if self._reader.is_slow else _PIECES_A_STEP):
            # Secrets are appended by the reactor's thread while this runs: look before each piece.
            new = self._reader.new_secrets()
            if new and self._reader.have_passed(new):
                self.restart()
            piece = self._reader.read()
            if piece is None:
                return
            self._compress(piece)

    def finish(self, more: bytes = b"") -> None:
        """End the stream, after some bytes that are not in the raw log."""
        self._compress(self._reader.rest(more))
        self._write(self._compressor.flush())

    def break_off(self, last: bytes) -> None:
        """End the stream where it is, with some lines of the worker's own.

        What is held back is not in it: what comes next may show that it is a secret.
        """
        self._compress(last if self._at_line_start else b"\n" + last)
        self._write(self._compressor.flush())

    def restart(self) -> None:
        """Compress from the beginning of the log again."""
        # A gzip stream cannot be mended in its middle.
        self._reader.rewind()
        self._truncate()
        self._compressor = new_gzip()
        self.length, self._at_line_start = 0, True
        self.restarts += 1

    def _compress(self, data: bytes) -> None:
        self.length += len(data)
        self._at_line_start = data.endswith(b"\n") if data else self._at_line_start
        if compressed := self._compressor.compress(data):
            self._write(compressed)
