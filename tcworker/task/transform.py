"""A file compressed, or the other way round, before it is uploaded: storages want to know the length first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer

from tcworker.errors import ResourceUnavailable
from tcworker.filebody import DescriptorFile, MemoryFile
from tcworker.interfaces import IArchivedFile
from tcworker.launcher.sink import write_all
from tcworker.task.compression import NamedGzip, new_gunzip
from tcworker.task.jobs import Jobs
from tcworker.task.log_raw import unnamed_file
from tcworker.waiting import Executor

_PIECE = 256 * 1024


class Coder(Protocol):
    """Turns one stream of bytes into another.

    @ivar small: a file of up to so many bytes may be turned at once and in memory.
    """

    small: int

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def end(self) -> bytes: ...


class Gzip:
    """Compresses.

    @param name: of the file, without folders; goes into the header.
    """

    small = 64 * 1024

    def __init__(self, name: str) -> None:
        self._compressor = NamedGzip(name)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece."""
        yield self._compressor.compress(data)

    def end(self) -> bytes:
        """Give what is left."""
        return self._compressor.flush()


class Gunzip:
    """Decompresses, a piece of memory at a time, whatever comes out of a piece."""

    small = 4 * 1024

    def __init__(self) -> None:
        self._decompressor = new_gunzip()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece."""
        # A few bytes may become a thousand times as many.
        while data:
            yield self._decompressor.decompress(data, _PIECE)
            data = self._decompressor.unconsumed_tail

    def end(self) -> bytes:
        """Give what is left."""
        return self._decompressor.flush()


async def transform(file: IArchivedFile, coder: Coder, folder: str, threads: Executor) -> IArchivedFile:
    """Give a file with the content of another one, turned by a coder; the caller closes it.

    Cancelled, it ends as soon as no thread works on it any more. Raises L{ResourceUnavailable} when the folder has no
    room for it, L{tcworker.errors.ArchiveError} when the file cannot be read.
    """
    body = file.open()
    # A hop to a thread and a file on the disk cost more than so few bytes are worth.
    if body.length <= coder.small:
        return MemoryFile(file.path, await _in_memory(body, coder))
    try:
        target = unnamed_file(folder)
    except OSError as error:
        body.stopProducing()
        raise _full(file.path, folder, error) from error
    stream = _Stream(body, Jobs(threads))
    try:
        await stream.copy(lambda data: _write(target, coder.feed(data)))
        _write(target, iter((coder.end(),)))
        # Of its own, for the one here is closed below, however this ends.
        return DescriptorFile(file.path, os.dup(target))
    except OSError as error:
        raise _full(file.path, folder, error) from error
    finally:
        # Given up, a thread may still be writing: the number of a closed descriptor is soon another file's.
        await stream.settled()
        os.close(target)


def _full(path: str, folder: str, error: OSError) -> ResourceUnavailable:
    return ResourceUnavailable.no_disk(f"cannot prepare {path} for upload in {folder}: {error.strerror}", folder, error)


async def _in_memory(body: IBodyProducer, coder: Coder) -> bytes:
    pieces = _Pieces()
    await body.startProducing(pieces)
    return b"".join((*coder.feed(b"".join(pieces.taken)), coder.end()))


def _write(target: int, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        write_all(target, piece)


class _Pieces:
    """A consumer that keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.taken.append(data)


class _Stream:
    """Takes a body piece by piece, each to be worked on in a thread before the next one is read."""

    def __init__(self, body: IBodyProducer, jobs: Jobs) -> None:
        self._body = body
        self._jobs = jobs
        self._taken: list[bytes] = []
        self._size = 0
        self._over: Failure | bool = False
        self._news: Deferred[None] | None = None

    async def copy(self, work: Callable[[bytes], None]) -> None:
        """Give all of the body to C{work}, in threads. Fails with what either of them fails with."""
        self._body.startProducing(self).addCallbacks(lambda _: self._end(True), self._end)
        try:
            while not self._over or self._taken:
                # A body that knows no pause has long given all; one that does waits to be resumed below.
                if not (self._over or self._full):
                    await self._more()
                data, self._taken, self._size = b"".join(self._taken), [], 0
                await self._jobs.run(work, data)
                if not self._over:
                    self._body.resumeProducing()
            if isinstance(self._over, Failure):
                self._over.raiseException()
        finally:
            if not self._over:
                self._body.stopProducing()

    async def settled(self) -> None:
        """Wait until no thread works on a piece."""
        await self._jobs.settled()

    def write(self, data: bytes) -> None:
        """Take what the body gives; the body honours a pause only between two such calls."""
        self._taken.append(data)
        self._size += len(data)
        if self._full:
            self._body.pauseProducing()
            self._wake()

    @property
    def _full(self) -> bool:
        return self._size >= _PIECE

    def _more(self) -> Deferred[None]:
        news = self._news = Deferred()
        return news

    def _end(self, how: Failure | bool) -> None:
        self._over = how
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.called:
            news.callback(None)
