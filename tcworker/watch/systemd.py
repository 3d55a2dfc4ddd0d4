"""Tells the service manager how a worker's process is: C{sd_notify}, which systemd and others speak.

It is one datagram for each piece of news, to a socket that the environment names; docs/operating.md has a unit that
makes use of all of it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

LOOK_EVERY = 5.0
"""Seconds between two looks at the worker, or less if the watchdog wants more."""

UNWELL_FOR = 120.0
"""Seconds that a worker must have been unwell before the watchdog is told no more."""

_log = Logger()


class Notifier:
    """The socket of a service manager.

    @param address: a path, or a name in the abstract namespace that begins with C{@}.
    @ivar watchdog: seconds in which the manager wants to hear something, C{None} if it does not watch.
    """

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        self.watchdog = watchdog
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._complained = False

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Notifier | None:
        """The one that this process was started by; C{None} if it was not by any that wants to hear of it."""
        address = environ.get("NOTIFY_SOCKET", "")
        return cls(address, _watchdog_seconds(environ)) if address[:1] in ("/", "@") else None

    def tell(self, *lines: str) -> None:
        """Tell some news, each C{NAME=value}; one that cannot be told is no trouble of the worker's."""
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._complained:
                _log.warn("the service manager cannot be told how the worker is: {error}", error=error)
            self._complained = True

    def close(self) -> None:
        """Tell nothing more."""
        self._socket.close()


class Notifying(Service):
    """Says when a worker has booted, what it does, that it is well, and that it ends.

    While the worker is unwell the watchdog is not told, so that the manager kills it and starts it again; but not as
    long as tasks run, which would be killed too.

    @param status: what the worker does, in a line for people.
    @param trouble: why it is not well; nothing if it is.
    @param busy: whether tasks run.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        notifier: Notifier,
        *,
        status: Callable[[], str],
        trouble: Callable[[], str],
        busy: Callable[[], bool],
    ) -> None:
        self._notifier = notifier
        self._status, self._trouble, self._busy = status, trouble, busy
        self._told = ""
        self._unwell, self._given_up = 0.0, False
        self._every = min(LOOK_EVERY, (notifier.watchdog or LOOK_EVERY * 2) / 2)
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._looking.start(self._every).addErrback(
            lambda failure: _log.failure("no watchdog is told any more", failure)
        )

    def stopService(self) -> None:
        """Say that it ends."""
        super().stopService()
        if self._looking.running:
            self._looking.stop()
        self._notifier.tell("STOPPING=1", "STATUS=ends")
        self._notifier.close()

    def ready(self) -> None:
        """The worker has booted."""
        if self.running:
            self._notifier.tell("READY=1", *self._news())

    def _look(self) -> None:
        news = self._news()
        if self._notifier.watchdog is not None and self._lives():
            news = ["WATCHDOG=1", *news]
        if news:
            self._notifier.tell(*news)

    def _news(self) -> list[str]:
        status = " ".join(self._status().split())
        if status == self._told:
            return []
        self._told = status
        return [f"STATUS={status}"]

    def _lives(self) -> bool:
        trouble = self._trouble()
        # By the number of looks: a clock that is set forward must not end a worker.
        self._unwell = self._unwell + self._every if trouble else 0.0
        if self._unwell < UNWELL_FOR or self._busy():
            self._given_up = False
        elif not self._given_up:
            self._given_up = True
            _log.critical("the watchdog hears no more of this process, which it will end: {why}", why=trouble)
        return not self._given_up


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    # Without a number of a process it is for whoever hears of it.
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
