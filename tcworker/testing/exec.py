"""A process beside the script of L{tcworker.testing.platform.FakePlatform}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IAddress, IDelayedCall, IProcessProtocol, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.errors import FeatureNotSupported, TaskFailed
from tcworker.interfaces import ExitStatus, IExec, Size
from tcworker.waiting import OneShot

SIGKILL = 9


@implementer(IExec)
class FakeExec:
    """A process that runs one of these commands:

      - C{copy TEXT} copies its input to its output, prints TEXT to stderr when its input is closed, and succeeds;
      - C{print TEXT} prints a line and succeeds;
      - C{env} prints its environment;
      - C{exit STATUS};
      - C{sleep}, until it is killed.

    @ivar size: of its terminal, C{None} without one.
    """

    def __init__(
        self,
        clock: IReactorTime,
        protocol: IProcessProtocol,
        command: Sequence[str],
        env: Mapping[str, str],
        tty: Size | None,
    ) -> None:
        if not command or command[0] not in ("copy", "print", "env", "exit", "sleep"):
            raise TaskFailed(f"there is no command {command!r}")
        self._protocol = protocol
        self._env = env
        self._ended: OneShot[ExitStatus] = OneShot()
        self._held: list[bytes] | None = None
        self.name, *self._arguments = command
        self.size = tty
        self._timer: IDelayedCall | None = clock.callLater(0, self._begin)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not self._ended.fired

    def write(self, data: bytes) -> None:
        """Give it input."""
        if self.alive and self.name == "copy":
            self._print(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Give it input."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close its input."""
        if self.alive and self.name == "copy":
            self._print("".join(self._arguments).encode(), descriptor=2)
            self._end(ExitStatus(0))

    def pauseProducing(self) -> None:
        """Hold back what it prints."""
        self._held = self._held or []

    def resumeProducing(self) -> None:
        """Give what was held back, and all that comes."""
        held, self._held = self._held or [], None
        for data in held:
            self._print(data)

    def stopProducing(self) -> None:
        """Nobody wants its output any more."""
        self.abort()

    def resize(self, size: Size) -> None:
        """See L{IExec.resize}."""
        if self.size is None:
            raise FeatureNotSupported("the process has no terminal")
        self.size = size

    def abort(self) -> None:
        """See L{IExec.abort}."""
        self._end(ExitStatus(None, SIGKILL))

    def when_ended(self) -> Deferred[ExitStatus]:
        """See L{IExec.when_ended}."""
        return self._ended.wait()

    def getPeer(self) -> IAddress:
        """A process has no address."""
        raise NotImplementedError

    def getHost(self) -> IAddress:
        """A process has no address."""
        raise NotImplementedError

    def _begin(self) -> None:
        self._timer = None
        if self.name == "print":
            self._print(" ".join(self._arguments).encode() + b"\n")
        if self.name == "env":
            self._print("".join(f"{name}={value}\n" for name, value in sorted(self._env.items())).encode())
        if self.name in ("print", "env", "exit"):
            self._end(ExitStatus(int(self._arguments[0]) if self.name == "exit" else 0))

    def _print(self, data: bytes, descriptor: int = 1) -> None:
        if self._held is not None:
            self._held.append(data)
        elif data:
            # A terminal has one stream.
            self._protocol.childDataReceived(1 if self.size is not None else descriptor, data)

    def _end(self, how: ExitStatus) -> None:
        if not self.alive:
            return
        if self._timer is not None:
            self._timer.cancel()
        # Whoever paused it gets all that was printed before hearing of the end.
        self.resumeProducing()
        self._ended.succeed(how)
        done = ProcessDone(0) if how.success else ProcessTerminated(how.status, how.signal)
        self._protocol.processEnded(Failure(done))
