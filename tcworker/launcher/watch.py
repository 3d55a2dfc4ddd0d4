"""Waits for descriptors that are readable, and for children that die."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections.abc import Callable


class Watch:
    """The one place where a process waits.

    @ivar child_died: called when a child may have died; to be set before L{wait}.
    """

    child_died: Callable[[], object]

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, ignore)
        # Only this ends the wait for descriptors: a handler alone would be called, and the wait go on.
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self.add(self._reading, self._woken)

    def add(self, descriptor: int, call: Callable[[], object]) -> None:
        """Call when there is something to read, or nobody left to write."""
        self._selector.register(descriptor, selectors.EVENT_READ, call)

    def remove(self, descriptor: int) -> None:
        """Do not look at it any more; to be called before it is closed."""
        self._selector.unregister(descriptor)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until something was called, or for some seconds."""
        for key, _ in self._selector.select(seconds):
            key.data()

    def close(self) -> None:
        """Watch nothing; the descriptors are still open."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        os.close(self._reading)
        os.close(self._writing)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reading, 4096)
        self.child_died()


def ignore(number: int, frame: object) -> None:
    """Handle a signal by doing nothing; unlike SIG_IGN this does not go on to the programs that we start."""
