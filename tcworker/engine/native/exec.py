"""Another process in a native sandbox, with pipes or a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.fdesc import setNonBlocking
from twisted.internet.interfaces import IAddress, IProcessProtocol
from twisted.internet.process import ProcessReader, ProcessWriter
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.errors import FeatureNotSupported, TaskFailed
from tcworker.interfaces import ExitStatus, IExec, Size
from tcworker.process import IReactor
from tcworker.waiting import OneShot

Owner = tuple[int, int]
"""User and group of the task, who may open the process's pipes by name."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_END_OF_INPUT = b"\x04"


async def start_exec(
    reactor: IReactor,
    supervisor: SupervisorLink,
    owner: Owner | None,
    protocol: IProcessProtocol,
    command: Sequence[str],
    env: Mapping[str, str],
    tty: Size | None,
) -> IExec:
    """Start a process; see L{tcworker.interfaces.IExecution.new_exec}."""
    ours, its = _pipes(owner) if tty is None else _terminal(owner, tty)
    new = NativeExec(reactor, supervisor, protocol, ours, has_terminal=tty is not None)
    await new.start(command, env, its)
    return new


@implementer(IExec)
class NativeExec:
    """See L{IExec}.

    @param descriptors: our ends of its pipes by number.
    """

    def __init__(
        self,
        reactor: IReactor,
        supervisor: SupervisorLink,
        protocol: IProcessProtocol,
        descriptors: Mapping[int, int],
        has_terminal: bool,
    ) -> None:
        self._reactor, self._supervisor, self._protocol = reactor, supervisor, protocol
        self._descriptors = descriptors
        self._has_terminal = has_terminal
        self._key = 0
        self._started: OneShot[None] = OneShot()
        self._ended: OneShot[ExitStatus] = OneShot()
        self._readers: dict[int, ProcessReader] = {}
        self._writer: ProcessWriter | None = None
        self._how: ExitStatus | None = None

    async def start(self, command: Sequence[str], env: Mapping[str, str], descriptors: Sequence[int]) -> None:
        """Start it with its ends of the pipes. Raises L{TaskFailed}."""
        self._key = self._supervisor.start_exec(command, env, descriptors, self)
        try:
            await self._started.wait()
        # Nobody else could end it: its caller never had it.
        except BaseException:
            self.abort()
            raise

    def started(self) -> None:
        """See L{tcworker.engine.native.supervisor.ExecEvents}."""
        for number, descriptor in self._descriptors.items():
            if number == _STDIN:
                self._writer = ProcessWriter(self._reactor, self, number, descriptor)
            else:
                self._readers[number] = ProcessReader(self._reactor, self, number, descriptor)
        self._started.succeed(None)
        self._protocol.makeConnection(self)  # type: ignore[arg-type]  # an IExec is less than an IProcessTransport

    def failed(self, problem: str) -> None:
        """See L{tcworker.engine.native.supervisor.ExecEvents}."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._how = ExitStatus(None)
        self._started.fail(TaskFailed(f"the command could not be started: {problem}"))

    def ended(self, status: int | None, signal: int | None) -> None:
        """See L{tcworker.engine.native.supervisor.ExecEvents}."""
        # The sandbox died before it answered.
        if not self._started.fired:
            self.failed("the sandbox ended")
            return
        self._how = ExitStatus(status, signal)
        if self._writer is not None:
            self._writer.loseConnection()
        self._ended.succeed(self._how)
        self._protocol.processExited(self._reason())
        self._end_if_silent()

    def childDataReceived(self, number: int, data: bytes) -> None:
        """From L{ProcessReader}."""
        self._protocol.childDataReceived(number, data)

    def childConnectionLost(self, number: int, reason: Failure) -> None:
        """From L{ProcessReader} and L{ProcessWriter}, which leave it to us to close."""
        if number == _STDIN:
            self._close_input()
        else:
            os.close(self._readers.pop(number).fileno())
        self._protocol.childConnectionLost(number)
        self._end_if_silent()

    def write(self, data: bytes) -> None:
        """Give it input."""
        if self._writer is not None:
            self._writer.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Give it input."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close its input; at a terminal, say that there is no more."""
        if self._has_terminal:
            # Closing our end would hang the terminal up and kill whoever is there.
            self.write(_END_OF_INPUT)
        elif self._writer is not None:
            self._writer.loseConnection()

    def pauseProducing(self) -> None:
        """Read nothing from it for now."""
        for reader in self._readers.values():
            reader.stopReading()

    def resumeProducing(self) -> None:
        """Read on."""
        for reader in self._readers.values():
            reader.startReading()

    def stopProducing(self) -> None:
        """Nobody wants its output any more."""
        self.abort()

    def resize(self, size: Size) -> None:
        """See L{IExec.resize}."""
        if not self._has_terminal:
            raise FeatureNotSupported("the process has no terminal")
        if _STDOUT in self._readers:
            _set_size(self._readers[_STDOUT].fileno(), size)

    def abort(self) -> None:
        """See L{IExec.abort}."""
        if self._how is None:
            self._supervisor.kill_exec(self._key)

    def when_ended(self) -> Deferred[ExitStatus]:
        """See L{IExec.when_ended}."""
        return self._ended.wait()

    def getPeer(self) -> IAddress:
        """A process has no address."""
        raise NotImplementedError("a process has no address")

    def getHost(self) -> IAddress:
        """A process has no address."""
        raise NotImplementedError("a process has no address")

    def _close_input(self) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        os.close(writer.fileno())
        if self._has_terminal and _STDOUT in self._readers:
            # The writer made the terminal blocking, for the reader too.
            setNonBlocking(self._readers[_STDOUT].fileno())

    def _end_if_silent(self) -> None:
        """Say that it is over once it is dead and all of its output is there."""
        if self._how is not None and not self._readers and self._writer is None:
            self._protocol.processEnded(self._reason())

    def _reason(self) -> Failure:
        assert self._how is not None
        if self._how.success:
            return Failure(ProcessDone(0))
        return Failure(ProcessTerminated(self._how.status, self._how.signal))


def _pipes(owner: Owner | None) -> tuple[dict[int, int], list[int]]:
    """Our ends by number, and its ends in order."""
    its_input, our_input = os.pipe()
    our_output, its_output = os.pipe()
    our_errors, its_errors = os.pipe()
    its = [its_input, its_output, its_errors]
    for descriptor in its:
        _give(descriptor, owner)
    return {_STDIN: our_input, _STDOUT: our_output, _STDERR: our_errors}, its


def _terminal(owner: Owner | None, size: Size) -> tuple[dict[int, int], list[int]]:
    ours, its = pty.openpty()
    _give(its, owner)
    _set_size(ours, size)
    # Reading and writing end separately, so each has a descriptor.
    return {_STDIN: os.dup(ours), _STDOUT: ours}, [its]


def _give(descriptor: int, owner: Owner | None) -> None:
    if owner is not None:
        os.fchown(descriptor, *owner)


def _set_size(terminal: int, size: Size) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
