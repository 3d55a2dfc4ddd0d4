"""Those who follow a log while it grows."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.task.log_gzip import LogReader
from tcworker.task.log_pump import Pump
from tcworker.waiting import Executor

_log = Logger()


class Follower:
    """Gives the log to one who follows it, from its beginning.

    @param size: how long the raw log is now.
    @param call: is given the pieces, and C{b""} after the last.
    @param at_once: up to so many bytes are read where this is called, more of them in threads.
    """

    def __init__(
        self,
        reader: LogReader,
        threads: Executor,
        size: Callable[[], int],
        call: Callable[[bytes], None],
        at_once: int,
    ) -> None:
        self._reader = reader
        self._call: Callable[[bytes], None] | None = call
        self._pump = Pump(threads, lambda: size() - reader.offset, self._read, self._give, self._broke, at_once)

    def kick(self) -> None:
        """The log has grown."""
        if self._call is not None:
            self._pump.kick()

    def leave(self) -> None:
        """Give nothing more; repeatable."""
        self._call = None

    def stop(self) -> Deferred[None]:
        """Give nothing more, and fire when the log is read no more."""
        self.leave()
        return self._pump.stop()

    def finish(self) -> Deferred[None]:
        """Give the rest of a log that grows no more, and fire when that is done."""
        # Who left wants nothing more, but the step under way may still read the file.
        if self._call is None:
            return self._pump.stop()
        return self._pump.caught_up().addCallback(lambda _: self._last())

    def _read(self) -> bytes | None:
        self._reader.new_secrets()
        return self._reader.read()

    def _last(self) -> None:
        # Only now is it certain that no secret follows.
        self._give(self._reader.rest())
        if self._call is not None:
            self._tell(self._call, b"")
        self.leave()

    def _give(self, piece: bytes | None) -> None:
        if piece and self._call is not None:
            self._tell(self._call, piece)

    def _tell(self, call: Callable[[bytes], None], piece: bytes) -> None:
        try:
            call(piece)
        except Exception:
            # The log goes on without it, for the sake of all others.
            _log.failure("a follower of a task's log failed and is given no more of it")
            self.leave()

    def _broke(self, failure: Failure) -> None:
        _log.failure("a task's log cannot be read", failure=failure)
        self._call = None
