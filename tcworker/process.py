"""Processes of the worker's own, and sockets to them that carry descriptors. Nothing else here spawns."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import (
    IProcessTransport,
    IReactorFDSet,
    IReactorProcess,
    IReactorThreads,
    IReactorTime,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tcworker.interfaces import ExitStatus
from tcworker.launcher.wire import Decoder, Message, close_all, encode, receive, send_some
from tcworker.waiting import OneShot


class IReactor(IReactorFDSet, IReactorProcess, IReactorThreads, IReactorTime):
    """What it takes of a reactor to have processes and to speak with them."""


LONGEST_LINE = 8192
"""Bytes of a line that a child prints on its stderr; the rest is dropped."""


class Child(ProcessProtocol):
    """A process that we started.

    @param says: called with each line that it prints on stderr.
    """

    transport: IProcessTransport

    def __init__(self, says: Callable[[str], None]) -> None:
        self._says = says
        self._rest = b""
        self._ended: OneShot[ExitStatus] = OneShot()

    @property
    def pid(self) -> int | None:
        """Its number, C{None} once it is gone."""
        pid: int | None = self.transport.pid
        return pid

    def kill(self) -> None:
        """SIGKILL, should it still run."""
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            return

    def when_ended(self) -> Deferred[ExitStatus]:
        """How it ended; a fresh Deferred at each call."""
        return self._ended.wait()

    def errReceived(self, data: bytes) -> None:
        """It prints something."""
        *lines, rest = (self._rest + data).split(b"\n")
        # A task with the worker's own rights can write here, too: without a limit that would be the worker's memory.
        self._rest = rest[:LONGEST_LINE]
        for line in lines:
            self._says(line[:LONGEST_LINE].decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        """It is dead, and its stderr closed."""
        assert isinstance(reason.value, ProcessDone | ProcessTerminated)
        self._ended.succeed(ExitStatus(reason.value.exitCode, reason.value.signal))


def spawn(
    reactor: IReactorProcess,
    argv: Sequence[str],
    env: Mapping[str, str],
    descriptors: Mapping[int, int],
    says: Callable[[str], None],
) -> Child:
    """Start a program by its absolute path, with descriptors beside stdin, stdout and stderr; they stay ours as well.

    Raises C{OSError}.
    """
    child = Child(says)
    with open("/dev/null", "r+b") as nothing:
        fds: dict[int, int | str] = {0: nothing.fileno(), 1: nothing.fileno(), 2: "r", **descriptors}
        reactor.spawnProcess(child, argv[0], argv, env=dict(env), childFDs=fds)
    return child


class Channel(FileDescriptor):
    """Our end of a socket to a launcher or supervisor; see L{tcworker.launcher.wire}.

    @param received: called with each message and its descriptors, which are the callee's.
    @param lost: called once, when the other end or this one is closed; nothing is received after it.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        end: socket.socket,
        received: Callable[[Message, list[int]], None],
        lost: Callable[[], None],
    ) -> None:
        super().__init__(reactor)
        self._end = end
        self._received, self._lost = received, lost
        self._decoder = Decoder()
        self._waiting: list[tuple[bytes, list[int]]] = []
        end.setblocking(False)
        self.connected = 1
        self.startReading()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message. The descriptors are the channel's from now on; after the end they are only closed."""
        if not self.connected:
            close_all(descriptors)
            return
        self._waiting.append((encode(message, descriptors), list(descriptors)))
        # Most messages fit at once, which spares the reactor two changes of what it watches.
        self.doWrite()
        if self._waiting:
            self.startWriting()

    def close(self) -> None:
        """Close this end now."""
        self.connectionLost(Failure(CONNECTION_DONE))

    def fileno(self) -> int:
        """For the reactor."""
        return self._end.fileno()

    def doRead(self) -> ConnectionDone | ConnectionLost | None:
        """Take what is there."""
        try:
            data, descriptors = receive(self._end)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        for message, its_own in self._decoder.feed(data, descriptors):
            if self.connected:
                self._received(message, its_own)
            else:
                # Closed in the middle of this: nobody takes them any more.
                close_all(its_own)
        return None if data else CONNECTION_DONE

    def doWrite(self) -> ConnectionLost | None:
        """Send what fits."""
        try:
            while self._waiting:
                self._send_some()
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        self.stopWriting()
        return None

    def connectionLost(self, reason: Failure) -> None:
        """It is over; repeatable."""
        if not self.connected:
            return
        super().connectionLost(reason)
        self.stopReading()
        self.stopWriting()
        self.connected = 0
        self._end.close()
        self._decoder.close()
        for _, descriptors in self._waiting:
            close_all(descriptors)
        self._waiting.clear()
        self._lost()

    def _send_some(self) -> None:
        data, descriptors = self._waiting[0]
        sent = send_some(self._end, data, descriptors)
        # They went with the first byte.
        close_all(descriptors)
        descriptors.clear()
        if sent == len(data):
            del self._waiting[0]
        else:
            self._waiting[0] = (data[sent:], descriptors)
