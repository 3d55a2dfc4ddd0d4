"""What comes out of a decompressor, for who reads a part of it at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Thread

from tcworker.extract.child.faults import ArchiveFault

_AHEAD = 16
"""Pieces that may wait to be written, while others are decompressed."""


class Truncated(ArchiveFault):
    """It ends where it should not."""

    def __init__(self) -> None:
        super().__init__("it ends too early: something is missing")


class Ahead:
    """Goes through an iterable in a thread of its own, which begins with L{begin}, and some pieces ahead."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._room: SimpleQueue[None] = SimpleQueue()
        self._ready: SimpleQueue[bytes | None] = SimpleQueue()
        self._problem: BaseException | None = None
        # Nobody waits for it: if the reader gives up, the process ends.
        Thread(target=self._run, daemon=True).start()

    def begin(self) -> None:
        """Begin; the thread exists before, so that the process may have lost the right to make any."""
        for _ in range(_AHEAD):
            self._room.put(None)

    def __iter__(self) -> Iterator[bytes]:
        """Give the pieces. Raises what the iterable raised."""
        while (piece := self._ready.get()) is not None:
            yield piece
            self._room.put(None)
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            self._room.get()
            for piece in self._pieces:
                self._ready.put(piece)
                self._room.get()
        except BaseException as error:
            self._problem = error
        self._ready.put(None)


class Pieces:
    """A stream of bytes in pieces of any size."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._piece, self._at = b"", 0

    def take(self, size: int) -> bytes:
        """Give the next bytes, none at the end. Raises L{Truncated} if there are some, but too few."""
        end = self._at + size
        if end > len(self._piece):
            return self._take_across(size)
        taken = self._piece[self._at : end]
        self._at = end
        return taken

    def parts(self, size: int) -> Iterator[memoryview]:
        """Give the next bytes in parts as they come. Raises L{Truncated} if there are too few."""
        while size:
            if self._at == len(self._piece) and not self._next():
                raise Truncated
            part = memoryview(self._piece)[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            yield part

    def rest(self) -> Iterator[bytes]:
        """Give all that follows."""
        yield self._piece[self._at :]
        while self._next():
            yield self._piece
        self._at = len(self._piece)

    def _take_across(self, size: int) -> bytes:
        # Put together once: of tiny pieces there may be very many.
        parts, missing = [self._piece[self._at :]], size - (len(self._piece) - self._at)
        while missing > 0 and self._next():
            parts.append(self._piece[:missing])
            self._at = len(parts[-1])
            missing -= self._at
        if 0 < missing < size:
            raise Truncated
        return b"".join(parts)

    def _next(self) -> bool:
        self._piece, self._at = next(self._pieces, b""), 0
        return bool(self._piece)
