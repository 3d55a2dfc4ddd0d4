"""Files to publish, by descriptor or in memory: what was opened is what is read, whatever becomes of its path."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.client.bodies import BytesBody
from tcworker.errors import ArchiveError
from tcworker.interfaces import IArchivedFile

PIECE = 1 << 16
"""Bytes read at a time."""


@implementer(IArchivedFile)
class DescriptorFile:
    """An archived file over a descriptor of a regular file, which it owns from now on and never moves.

    @param path: see L{IArchivedFile}.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self.path = path
        self.size = os.fstat(descriptor).st_size

    def open(self) -> IBodyProducer:
        """See L{IArchivedFile.open}."""
        if self._descriptor is None:
            raise ArchiveError(f"{self.path} was closed already")
        # Before anybody is told that so many bytes will come.
        if (now := os.fstat(self._descriptor).st_size) < self.size:
            raise ArchiveError(f"{self.path} became shorter: it has {now} of {self.size} bytes")
        try:
            return DescriptorBody(self.path, os.dup(self._descriptor), self.size)
        except OSError as error:
            raise ArchiveError(f"{self.path} cannot be opened: {error.strerror}") from error

    def close(self) -> None:
        """See L{IArchivedFile.close}. A body that is being sent goes on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


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


@implementer(IBodyProducer)
class DescriptorBody:
    """The first C{length} bytes of a file, read as fast as the consumer takes them and no faster.

    A consumer that never pauses is given all of them at once.
    """

    def __init__(self, path: str, descriptor: int, length: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._closed = False
        self._consumer: IConsumer | None = None
        self._paused = False
        self._at = 0
        self.length = length
        self._done: Deferred[None] = Deferred(lambda _: self._close())

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Fires after the last byte; fails with L{ArchiveError} if the file became shorter or cannot be read."""
        self._consumer = consumer
        self._produce()
        return self._done

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._produce()

    def stopProducing(self) -> None:
        """Nobody wants the rest: close the file. The Deferred of L{startProducing} will not fire."""
        self._close()

    def __del__(self) -> None:
        self._close()

    def _produce(self) -> None:
        while self._consumer is not None and not self._paused:
            if self._at == self.length:
                self._close()
                self._done.callback(None)
                return
            try:
                piece = self._read()
            except ArchiveError as error:
                self._close()
                self._done.errback(error)
                return
            self._consumer.write(piece)

    def _read(self) -> bytes:
        try:
            piece = os.pread(self._descriptor, min(PIECE, self.length - self._at), self._at)
        except OSError as error:
            raise ArchiveError(f"{self._path} cannot be read: {error.strerror}") from error
        if not piece:
            raise ArchiveError(f"{self._path} became shorter while it was read: {self._at} of {self.length} bytes")
        self._at += len(piece)
        return piece

    def _close(self) -> None:
        self._consumer = None
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)
