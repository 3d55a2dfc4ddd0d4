"""The raw log of a run: what the task and the worker wrote, unmasked, never leaving the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import chain

from zope.interface import implementer

from tcworker.interfaces import ILentLog
from tcworker.launcher.sink import Sink, head_size, read_tail, read_total, write_all

NAME = "live.log"
END = "live.log.end"
"""The ring's file has a name too, for it must outlive the worker."""

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class RawLog:
    """The raw file, and past half of the limit the ring that keeps its end (L{tcworker.launcher.sink}).

    All methods may raise C{OSError}, for a full disk most of all.

    @param opening: makes its files, or opens those that are there.
    @ivar path: of the raw file.
    @ivar descriptor: of the raw file.
    @ivar is_left: whether it is one that another process wrote; then nothing more is written.
    """

    is_left = False

    def __init__(self, folder: str, limit: int, opening: Callable[[str], int]) -> None:
        self.path = os.path.join(folder, NAME)
        self.limit = limit
        self.descriptor = opening(self.path)
        try:
            # Without a limit nobody ever writes to the ring.
            self._ring = opening(os.path.join(folder, END)) if limit else os.dup(self.descriptor)
        except OSError:
            os.close(self.descriptor)
            raise
        self._sink: Sink | None = self._new_sink()
        self._closed = False

    @classmethod
    def begin(cls, folder: str, limit: int) -> RawLog:
        """Make the files of a new log."""
        return cls(folder, limit, _create)

    @classmethod
    def left(cls, folder: str, limit: int) -> RawLog:
        """Open those of a log that nobody writes any more. Raises C{FileNotFoundError} if there is none."""
        raw = cls(folder, limit, _open_again)
        raw.is_left = True
        # Whoever died in the midst of L{join_end} would else leave the end twice.
        if raw.has_end:
            os.ftruncate(raw.descriptor, head_size(limit))
        os.lseek(raw.descriptor, 0, os.SEEK_END)
        return raw

    @property
    def size(self) -> int:
        """Bytes in the raw file now."""
        return os.fstat(self.descriptor).st_size

    @property
    def written(self) -> int:
        """Bytes that were ever written, those that the ring lost as well."""
        return self.size + (read_total(self._ring) if self.limit else 0)

    def write(self, data: bytes) -> None:
        """Append bytes; not while lent."""
        assert self._sink is not None
        self._sink.write(data)

    def write_line(self, data: bytes) -> None:
        """Append whole lines, on a line of their own; not while lent."""
        assert self._sink is not None
        self._sink.write_line(data)

    def lend(self, given_back: Callable[[], None]) -> LentLog:
        """Let somebody else write until it is given back."""
        if self._sink is None:
            raise RuntimeError("the log is lent already")
        # A sink knows how much is written, which is wrong once somebody else writes: make a new one afterwards.
        self._sink = None

        def take_back() -> None:
            if not self._closed:
                self._sink = self._new_sink()
            given_back()

        return LentLog(self.descriptor, self._ring, self.limit, take_back)

    def join_end(self, notice: Callable[[int], bytes]) -> None:
        """Put the end that the ring keeps behind the raw file; nothing is written after that.

        @param notice: gives the line that says how many bytes are missing between the two.
        """
        tail = read_tail(self._ring, self.limit)
        between = [notice(tail.dropped)] if tail.dropped else []
        for piece in chain(between, tail.read(self._ring)):
            write_all(self.descriptor, piece)

    @property
    def has_end(self) -> bool:
        """Whether the ring has something."""
        return bool(read_tail(self._ring, self.limit).pieces)

    def ends_with(self, line: bytes) -> bool:
        """Whether a line is the last one; false if the ring has the end, where nobody has looked for it."""
        last = os.pread(self.descriptor, len(line), max(0, self.size - len(line)))
        return last == line and not self.has_end

    def close(self) -> None:
        """Close the files; repeatable."""
        if not self._closed:
            self._closed = True
            os.close(self.descriptor)
            os.close(self._ring)

    def _new_sink(self) -> Sink:
        return Sink(self.descriptor, self._ring, self.limit)


@implementer(ILentLog)
class LentLog:
    """See L{ILentLog}."""

    def __init__(self, descriptor: int, ring: int, limit: int, take_back: Callable[[], None]) -> None:
        self.descriptor = descriptor
        self.ring = ring
        self.limit = limit
        self._take_back: Callable[[], None] | None = take_back

    def give_back(self) -> None:
        """See L{ILentLog.give_back}."""
        take_back, self._take_back = self._take_back, None
        if take_back is not None:
            take_back()


def unnamed_file(folder: str) -> int:
    """Open a new file that is in a folder's file system, but that nobody can find there."""
    try:
        return os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError):
        # Neither every system nor every file system has it.
        path = os.path.join(folder, f".{os.urandom(8).hex()}")
        descriptor = _create(path)
        os.unlink(path)
        return descriptor


def _create(path: str) -> int:
    return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)


def _open_again(path: str) -> int:
    # The ring may not have come to be, but without a raw file there is no log.
    return os.open(path, _FLAGS | (os.O_CREAT if path.endswith(END) else 0), 0o600)
