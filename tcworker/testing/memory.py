"""A run's log in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from io import FileIO

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from tcworker.interfaces import ILentLog, ITaskLog, Unsubscribe
from tcworker.task import log_framing
from tcworker.task.masking import Masker
from tcworker.task.masks import LogMasks
from tcworker.task.secret_forms import forms_of
from tcworker.waiting import now

_POLL = 0.02


@implementer(ITaskLog)
class MemoryLog:
    """A log that is kept in memory, and in an unnamed file for as long as it is lent.

    It grows without limit, and is complete as soon as whoever writes has written.

    @param clock: gives the time in the worker's own lines, and looks after a lent file for those who follow.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._data = bytearray()
        self._lent: LentFile | None = None
        self._followers: list[_Follower] = []
        self._masks = LogMasks()
        self._last_printed = clock.seconds()
        self._printed = self._said = 0
        self._sealed = False

    @property
    def data(self) -> bytes:
        """All that was printed so far, masked."""
        self._catch_up()
        masker = Masker(self._masks.literals)
        return masker.feed(bytes(self._data)) + masker.flush()

    @property
    def text(self) -> str:
        """All that was printed so far, masked, as text."""
        return self.data.decode(errors="replace")

    def last_printed(self) -> float:
        """See L{ITaskLog.last_printed}; of what is written to a lent file, only when somebody looks at it."""
        self._catch_up()
        printed = len(self._data) - self._said
        if printed > self._printed:
            self._printed, self._last_printed = printed, self._clock.seconds()
        return self._last_printed

    def info(self, message: str) -> None:
        """See L{ITaskLog.info}."""
        self._say(log_framing.info(now(self._clock), message))

    def warn(self, message: str) -> None:
        """See L{ITaskLog.warn}."""
        self._say(log_framing.warn(now(self._clock), message))

    def error(self, message: str) -> None:
        """See L{ITaskLog.error}."""
        self._say(log_framing.error(message))

    def write(self, data: bytes) -> None:
        """See L{ITaskLog.write}."""
        self._put(data)
        self.last_printed()

    def lend(self, append: Callable[[bytes], None]) -> ILentLog:
        """See L{ITaskLog.lend}. The lent file has no limit."""
        if self._lent is not None:
            raise AssertionError("the log is already lent")
        self._lent = LentFile(bytes(self._data), append, self._take_back)
        self._watch()
        return self._lent

    def follow(self, call: Callable[[bytes], None]) -> Unsubscribe:
        """See L{ITaskLog.follow}. What is there already comes before this returns."""
        follower = _Follower(call, self._masks)
        self._followers.append(follower)
        self._catch_up()
        self._tell()
        self._watch()
        return lambda: self._followers.remove(follower) if follower in self._followers else None

    def mask(self, secret: str) -> None:
        """Hide a secret from all who read from now on; one of fewer than 6 bytes is not hidden."""
        self.mask_exactly(forms_of(secret))

    def mask_exactly(self, literals: Iterable[bytes]) -> None:
        """Hide some bytes, in no other form than this."""
        self._masks.add(literals)

    def seal(self) -> None:
        """Nothing more comes."""
        self._sealed = True
        self._tell()

    def _say(self, line: bytes) -> None:
        self._said += len(line)
        self._put(line)

    def _put(self, data: bytes) -> None:
        # The real log would lose it silently; here the test should know.
        if self._sealed:
            raise AssertionError(f"the log is sealed, nobody may write {data[:80]!r} to it")
        if self._lent is not None:
            self._lent.append(data)
        else:
            self._data += data
            self._tell()

    def _tell(self) -> None:
        # One who is told may leave at once.
        for follower in list(self._followers):
            follower.tell(self._data, self._sealed)
            if self._sealed:
                self._followers.remove(follower)
                follower.call(b"")

    def _catch_up(self) -> None:
        if self._lent is not None:
            self._data += self._lent.read_from(len(self._data))

    def _watch(self) -> None:
        """While the file is lent, somebody else writes to it: look for news as long as anybody follows."""
        if self._lent is not None and self._followers:
            self._lent.watch(self._clock, self._look)

    def _look(self) -> None:
        self._catch_up()
        self._tell()
        self._watch()

    def _take_back(self) -> None:
        self._catch_up()
        self._lent = None
        self._tell()


class _Follower:
    """One who follows, and how much they have been given."""

    def __init__(self, call: Callable[[bytes], None], masks: LogMasks) -> None:
        self.call = call
        self._masks = masks
        self._masker = Masker()
        self._given = 0

    def tell(self, data: bytearray, sealed: bool) -> None:
        self._masker.replace_literals(self._masks.literals)
        news, self._given = bytes(data[self._given :]), len(data)
        # What is held back lest it became a secret comes with the end.
        if piece := self._masker.feed(news) + (self._masker.flush() if sealed else b""):
            self.call(piece)


@implementer(ILentLog)
class LentFile:
    """The log as an unnamed file, in the hands of whoever runs the task's commands."""

    limit = 0

    def __init__(self, data: bytes, append: Callable[[bytes], None], taken_back: Callable[[], None]) -> None:
        self.append = append
        self._taken_back = taken_back
        self._file, self._ring = _unnamed_file(), _unnamed_file()
        self._file.write(data)
        self._timer: IDelayedCall | None = None
        self.descriptor = self._file.fileno()
        self.ring = self._ring.fileno()

    def give_back(self) -> None:
        """See L{ILentLog.give_back}."""
        if self._file.closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._taken_back()
        self._file.close()
        self._ring.close()

    def read_from(self, offset: int) -> bytes:
        """Give what was written after an offset."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size - offset, offset)

    def watch(self, clock: IReactorTime, look: Callable[[], None]) -> None:
        """Look once more in a moment, unless that is planned already."""

        def due() -> None:
            self._timer = None
            look()

        if self._timer is None:
            self._timer = clock.callLater(_POLL, due)


def _unnamed_file() -> FileIO:
    descriptor, path = tempfile.mkstemp(prefix="tcworker-log-")
    os.unlink(path)
    return FileIO(descriptor, "r+b")
