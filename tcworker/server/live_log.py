"""One log of a task that runs, given to those who read it while it grows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import IO

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

from tcworker.interfaces import Unsubscribe
from tcworker.launcher.sink import write_all

LINGER = 60.0
"""Seconds that readers have for the rest of a log that is closed: all of it is an artifact by then."""

PIECE = 1 << 16

Follow = Callable[[Callable[[bytes], None]], Unsubscribe]
"""As L{tcworker.interfaces.ITaskLog.follow}."""

_log = Logger()


class LiveLog:
    """A log, from its beginning, for any number of readers.

    The first of them has it copied into a file, from which each reads as fast as he can: a slow one costs no memory,
    and a log that nobody reads costs nothing.

    @param folder: for the file, which has no name there.
    @ivar file: what has come so far; C{None} before the first reader.
    @ivar size: of the file.
    @ivar complete: whether nothing more will come.
    """

    def __init__(self, follow: Follow, folder: str, clock: IReactorTime) -> None:
        self._follow = follow
        self._folder = folder
        self._clock = clock
        self._unfollow: Unsubscribe | None = None
        self._readers: set[_Reader] = set()
        self._closed = False
        self._cutting: IDelayedCall | None = None
        self.file: IO[bytes] | None = None
        self.size = 0
        self.complete = False

    @property
    def readers(self) -> int:
        """How many read now."""
        return len(self._readers)

    def add(self, request: Request) -> None:
        """Send all of it as the body of one more answer. Raises C{OSError}, and has sent nothing then."""
        if self.file is None:
            # In the reactor: to open it and to write what comes goes to the kernel's cache, as the log itself does.
            self.file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115  # closed when the last reader is gone
            self._unfollow = self._follow(self._grow)
        reader = _Reader(self, request)
        self._readers.add(reader)
        request.notifyFinish().addBoth(lambda _: self._gone(reader))
        reader.begin()

    def close(self) -> None:
        """Take no more of the log; who reads it gets the rest of what is there. Repeatable."""
        if self._closed:
            return
        self._closed = True
        if self._unfollow is not None:
            self._unfollow()
        self._end()
        if self._readers:
            self._cutting = self._clock.callLater(LINGER, self.cut)
        else:
            self._forget()

    def cut(self) -> None:
        """End every reader's connection."""
        for reader in list(self._readers):
            reader.cut()

    def _grow(self, piece: bytes) -> None:
        assert self.file is not None
        if not piece:
            return self._end()
        try:
            write_all(self.file.fileno(), piece)
        except OSError as error:
            _log.warn("a log cannot be shown while its task runs: {error}", error=str(error))
            self.cut()
            self._end()
            raise
        self.size += len(piece)
        self._wake()

    def _end(self) -> None:
        self.complete = True
        self._wake()

    def _wake(self) -> None:
        for reader in list(self._readers):
            reader.send()

    def _gone(self, reader: _Reader) -> None:
        self._readers.discard(reader)
        if self._closed and not self._readers:
            self._forget()

    def _forget(self) -> None:
        if self._cutting is not None and self._cutting.active():
            self._cutting.cancel()
        if self.file is not None:
            self.file.close()


@implementer(IPushProducer)
class _Reader:
    """One who reads a log."""

    def __init__(self, log: LiveLog, request: Request) -> None:
        self._log = log
        self._request = request
        self._offset = 0
        self._paused = self._sending = self._ended = False

    def begin(self) -> None:
        # The head at once, before the task has printed anything.
        self._request.write(b"")
        self._request.registerProducer(self, True)
        self.send()

    def send(self) -> None:
        """Send what there is, up to what the connection takes."""
        # Writing may well pause and resume it.
        if self._sending:
            return
        self._sending = True
        while not self._paused and self._offset < self._log.size:
            self._send_piece()
        self._sending = False
        if self._log.complete and self._offset == self._log.size and not self._paused:
            self._finish()

    def cut(self) -> None:
        self._ended = True
        self._request.channel.forceAbortClient()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self.send()

    def stopProducing(self) -> None:
        self._paused = self._ended = True

    def _send_piece(self) -> None:
        assert self._log.file is not None
        piece = os.pread(self._log.file.fileno(), PIECE, self._offset)
        self._offset += len(piece)
        self._request.write(piece)

    def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            self._request.unregisterProducer()
            self._request.finish()
