"""The file that a log leaves the machine as: compressed while the log grows, so that the end is soon done."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.interfaces import IArchivedFile
from tcworker.task.log_gzip import GzipStream, LogReader
from tcworker.task.log_pump import Pump
from tcworker.task.spool import Spool
from tcworker.waiting import Executor

_log = Logger()


@dataclass(frozen=True)
class GzippedLog:
    """A whole log, or what there is of one that still grows, as gzip.

    @ivar length: bytes before compression.
    """

    file: IArchivedFile
    length: int


class LogCompression:
    """Compresses a raw log into a file that nobody else finds.

    @param path: the file's, were it to be found.
    @param size: how long the raw log is now.
    @param broken: is told that the disk does not take it; then there will be no file.
    @param at_once: up to so many bytes are compressed where this is called, more of them in threads.
    @ivar late_secret: called when something that must not be seen was found in what was compressed already.
    """

    def __init__(
        self,
        path: str,
        reader: LogReader,
        threads: Executor,
        *,
        size: Callable[[], int],
        broken: Callable[[OSError], None],
        at_once: int,
    ) -> None:
        self.late_secret: Callable[[], None] = lambda: None
        self._path = path
        self._size = size
        self._broken = broken
        self._failed = False
        self._restarts = 0
        self._file: IArchivedFile | None = None
        self._spool = Spool(os.path.dirname(path))
        self._stream = GzipStream(reader, self._spool.write, self._spool.clear)
        self._pump = Pump(threads, self.behind, self._stream.step, self._stepped, self._cannot, at_once)

    @property
    def offset(self) -> int:
        """How much of the raw log is compressed."""
        return self._stream.offset

    def behind(self) -> int:
        """How many bytes of the raw log are to be compressed, some perhaps anew."""
        return self._stream.behind(self._size())

    def kick(self) -> None:
        """Catch up, unless it is doing so already."""
        self._pump.kick()

    def caught_up(self) -> Deferred[None]:
        """Catch up, and fire when there is nothing left to do."""
        return self._pump.caught_up()

    def stop(self) -> Deferred[None]:
        """Compress nothing more; fires when nobody reads the raw log for this."""
        return self._pump.stop()

    def finish(self, more: bytes) -> GzippedLog | None:
        """Give the file, when all is compressed; C{None} if there is none.

        @param more: what is not in the raw log.
        """
        if self._failed:
            return None
        try:
            self._stream.finish(more)
            self._file = self._spool.file(self._path)
        except OSError as error:
            self._broken(error)
            return None
        return GzippedLog(self._file, self._stream.length)

    def close(self) -> None:
        """Close the file."""
        self._spool.close()
        if self._file is not None:
            self._file.close()

    def _stepped(self, _: None) -> None:
        if self._stream.restarts > self._restarts:
            self._restarts = self._stream.restarts
            self.late_secret()

    def _cannot(self, failure: Failure) -> None:
        self._failed = True
        # Half a stream is of no use; its room is, for the raw log.
        self._spool.clear()
        if isinstance(failure.value, OSError):
            self._broken(failure.value)
        else:
            _log.failure("a task's log cannot be compressed", failure=failure)
