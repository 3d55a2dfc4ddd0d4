"""The pipes that a task prints into, and the log that they end in."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Callable

from tcworker.launcher.sink import PIECE, Sink


class Output:
    """Moves what a task prints to its log, and goes on emptying the pipes when the log cannot be written.

    @param watch: told of the reading end of each pipe, and what to call when it is readable.
    @param unwatch: told when a pipe is done.
    @param broken: called once, with a sentence, when the log cannot be written.
    """

    def __init__(
        self,
        sink: Sink,
        watch: Callable[[int, Callable[[], object]], None],
        unwatch: Callable[[int], None],
        broken: Callable[[str], None],
    ) -> None:
        self._sink = sink
        self._watch, self._unwatch = watch, unwatch
        self._broken: Callable[[str], None] | None = broken
        self._pipes: set[int] = set()

    def new_pipe(self, owner: tuple[int, int] | None) -> int:
        """Make a pipe, and give the end that a command writes to; C{owner} (uid, gid) may open it by name."""
        reading, writing = os.pipe()
        if owner is not None:
            # A program that opens /dev/stderr by name needs the right to.
            os.fchown(writing, *owner)
        # The other end blocks, as programs expect of their output.
        os.set_blocking(reading, False)
        self._pipes.add(reading)
        self._watch(reading, lambda: self._take(reading))
        return writing

    def write_line(self, data: bytes) -> None:
        """Put lines of the worker's own after what was printed until now."""
        # Lines about a command come after what it printed.
        self.drain()
        self._try(self._sink.write_line, data)

    def drain(self) -> None:
        """Take all that is in the pipes now, but not what comes meanwhile: that might never end."""
        for pipe in list(self._pipes):
            waiting = _waiting(pipe)
            while waiting > 0 and (taken := self._take(pipe)):
                waiting -= taken

    def close(self) -> None:
        """Take what is in the pipes, and close them."""
        self.drain()
        for pipe in list(self._pipes):
            self._close(pipe)

    def _take(self, pipe: int) -> int:
        """Move a piece; 0 when there is none."""
        try:
            taken = self._sink.take(pipe) if self._broken else len(os.read(pipe, PIECE))
        except BlockingIOError:
            return 0
        except OSError as error:
            # Nobody reads what comes from now on, but the task must not hang for it.
            self._fail(error)
            return self._take(pipe)
        if not taken:
            self._close(pipe)
        return taken

    def _try(self, write: Callable[[bytes], None], data: bytes) -> None:
        if self._broken:
            try:
                write(data)
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        broken, self._broken = self._broken, None
        if broken:
            broken(error.strerror or str(error))

    def _close(self, pipe: int) -> None:
        if pipe in self._pipes:
            self._pipes.remove(pipe)
            self._unwatch(pipe)
            os.close(pipe)


def _waiting(pipe: int) -> int:
    size: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0]
    return size
