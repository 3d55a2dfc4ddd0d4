"""A log as it is while it still grows: one whole gzip member, compressed by itself."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tcworker.interfaces import IArchivedFile
from tcworker.task.log_gzip import GzipStream, LogReader
from tcworker.task.log_pump import Pump
from tcworker.task.spool import Spool
from tcworker.waiting import Executor, whatever_happens


class Snapshot:
    """Compresses what there is of a raw log.

    What is sealed at the end is compressed by itself: some browsers read but the first member of a gzip, so that the
    one cannot be a part of the other.

    @param reader: reads no further than to C{size}, which is how much there is.
    @param at_once: up to so many bytes are compressed where this is called, more of them in threads.
    """

    def __init__(self, reader: LogReader, size: int, folder: str, threads: Executor, at_once: int) -> None:
        self._path = os.path.join(folder, "checkpoint.gz")
        self._spool = Spool(folder)
        self._failure: Failure | None = None
        self._stream = GzipStream(reader, self._spool.write, self._spool.clear)
        self._size = size
        self._pump = Pump(threads, self._behind, self._stream.step, lambda _: None, self._broke, at_once)

    def take(self, last: bytes) -> Deferred[tuple[IArchivedFile, int]]:
        """Give the file, and how many bytes it had before. Fails with C{OSError} if there is no room for it.

        @param last: lines of the worker's own to end it with.
        """
        return Deferred.fromCoroutine(self._take(last))

    async def _take(self, last: bytes) -> tuple[IArchivedFile, int]:
        try:
            await self._pump.caught_up()
            if self._failure is not None:
                self._failure.raiseException()
            self._stream.break_off(last)
            return self._spool.file(self._path), self._stream.length
        finally:
            await whatever_happens(Deferred.fromCoroutine(self._close()))

    async def _close(self) -> None:
        # Not under a thread that still writes it.
        await self._pump.stop()
        self._spool.close()

    def _behind(self) -> int:
        return self._stream.behind(self._size)

    def _broke(self, failure: Failure) -> None:
        self._failure = failure
