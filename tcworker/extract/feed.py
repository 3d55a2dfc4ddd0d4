"""What a child reads from: a pipe that takes no more than it has room for."""

from __future__ import annotations

import contextlib
import fcntl
import os

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

_ROOM = 1 << 20
"""Bytes of the pipe, so that the child need not wait for each piece."""


class Unread(Exception):
    """Nobody reads any more."""


class Feed(FileDescriptor):
    """The writing end of a pipe.

    @ivar reading_end: for the child; to be closed here once the child has it.
    """

    def __init__(self, reactor: IReactorFDSet) -> None:
        super().__init__(reactor)
        self.reading_end, self._end = os.pipe()
        os.set_blocking(self._end, False)
        # Who has many of them may have to be content with less.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._end, fcntl.F_SETPIPE_SZ, _ROOM)
        self._rest = memoryview(b"")
        self._written: Deferred[None] | None = None
        self.connected = 1

    def send(self, data: bytes) -> Deferred[None]:
        """Write something; fires when it is in the pipe, and fails with L{Unread}. One at a time.

        Cancelled, some of it may have been written.
        """
        self._rest = memoryview(data)
        written = self._written = Deferred(lambda _: self._end_of_piece())
        self.doWrite()
        if self._written is not None:
            self.startWriting()
        return written

    def close(self) -> None:
        """Let the reader find the end, after what was written. Repeatable."""
        self.connectionLost(Failure(CONNECTION_DONE))

    def fileno(self) -> int:
        """For the reactor."""
        return self._end

    def doWrite(self) -> None:
        """Write what there is room for."""
        try:
            self._rest = self._rest[os.write(self._end, self._rest) :]
        except BlockingIOError:
            return
        except OSError:
            self._fire(Unread())
            return
        if not self._rest:
            self._fire(None)

    def connectionLost(self, reason: Failure) -> None:
        """It is closed; repeatable."""
        if not self.connected:
            return
        super().connectionLost(reason)
        self.connected = 0
        self._fire(Unread())
        os.close(self._end)

    def _fire(self, result: Unread | None) -> None:
        written = self._written
        self._end_of_piece()
        if written is not None and result is None:
            written.callback(None)
        elif written is not None:
            written.errback(Failure(result))

    def _end_of_piece(self) -> None:
        self.stopWriting()
        self._rest, self._written = memoryview(b""), None
