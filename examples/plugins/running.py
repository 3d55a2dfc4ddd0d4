"""The second phase of a sandbox: the command runs, and ends by itself, killed or aborted."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, fail
from twisted.internet.fdesc import readFromFD, setNonBlocking
from twisted.internet.interfaces import IDelayedCall, IProcessProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from examples.plugins.left import ScriptResult
from examples.plugins.processes import kill_all, processes, send
from tcworker.errors import FeatureNotSupported, InternalError, MalformedPayload, SandboxAborted, SandboxEnded
from tcworker.interfaces import CommandRecord, ExitStatus, IExec, IExecution, IResult, SandboxRecord, Size, Usage
from tcworker.process import spawn
from tcworker.waiting import Loose, OneShot, Threads

MALFORMED = 2
_log = Logger()


@implementer(IExecution)
class ScriptExecution:
    """One run of the command.

    @param payload: a descriptor that the command reads its payload from.
    @param output: given what the command prints.
    """

    def __init__(
        self,
        reactor: Any,
        threads: Threads,
        *,
        command: Sequence[str],
        env: Mapping[str, str],
        folder: str,
        payload: int,
        record: SandboxRecord,
        output: Callable[[bytes], None],
    ) -> None:
        self.record = record
        self._reactor, self._threads = reactor, threads
        self._command, self._folder = command, folder
        self._finished: OneShot[IResult] = OneShot()
        self._all_over: OneShot[None] = OneShot()
        self._killed: str | None = None
        self._aborted: str | None = None
        self._has_result = False
        self._last_call: IDelayedCall | None = None
        self._started = reactor.seconds()
        self._output, write_end = open_output(reactor, output)
        try:
            # spawn knows no working directory; env does.
            argv = [shutil.which("env") or "/usr/bin/env", "-C", folder, *command]
            self._child = spawn(reactor, argv, env, {0: payload, 1: write_end, 2: write_end}, lambda line: None)
        except OSError:
            self._output.close()
            raise
        finally:
            os.close(write_end)
        # Nobody awaits this: it ends by telling those who asked.
        Loose(_log).run(self._watch(), f"watching {command[0]}")

    def when_finished(self) -> Deferred[IResult]:
        """See L{IExecution.when_finished}."""
        return self._finished.wait()

    def kill(self, why: str, grace: float) -> None:
        """See L{IExecution.kill}."""
        if self._finished.fired:
            return
        self._killed = self._killed or why
        self._signal(signal.SIGTERM)
        self._kill_within(grace)

    def abort(self, why: str) -> Deferred[None]:
        """See L{IExecution.abort}."""
        if self._has_result:
            return fail(SandboxEnded("the command has ended, and its result is there"))
        self._aborted = self._aborted or why
        self._signal(signal.SIGKILL)
        return self._all_over.wait()

    def measure(self) -> Deferred[Usage]:
        """See L{IExecution.measure}."""
        return fail(FeatureNotSupported("nobody measures what the command uses"))

    def new_exec(
        self, protocol: IProcessProtocol, command: Sequence[str], env: Mapping[str, str], tty: Size | None
    ) -> Deferred[IExec]:
        """See L{IExecution.new_exec}: nobody but the operator says what runs here."""
        return fail(FeatureNotSupported("no other commands run beside that of this pool"))

    async def _watch(self) -> None:
        """The order matters: first the command ends, then all that it left, then the last of the output is in."""
        status = await self._child.when_ended()
        await self._threads.run(kill_all, self.record.details["mark"])
        await self._output.when_closed()
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()
        error = self._error(status)
        if error is None:
            self._has_result = True
            self._finished.succeed(self._result(status))
        else:
            # Without a result nobody will dispose anything: it is done here, before anybody is told.
            await self._threads.run(shutil.rmtree, self._folder, True)
            self._finished.fail(error)
        self._all_over.succeed(None)

    def _error(self, status: ExitStatus) -> Exception | None:
        if self._aborted is not None:
            return SandboxAborted(self._aborted)
        if status.status == MALFORMED:
            return MalformedPayload("the payload was refused; the lines above say why")
        if status.status is not None and status.status > MALFORMED:
            return InternalError(f"{self._command[0]} ended with {status.status}, which says nothing about the task")
        return None

    def _result(self, status: ExitStatus) -> ScriptResult:
        wall = self._reactor.seconds() - self._started
        return ScriptResult(
            self._threads,
            self._folder,
            success=status.success and self._killed is None,
            killed=self._killed,
            commands=[CommandRecord(self._command, status, wall=wall)],
        )

    def _kill_within(self, grace: float) -> None:
        """A shorter grace wins."""
        if self._last_call is None:
            self._last_call = self._reactor.callLater(grace, self._signal, signal.SIGKILL)
        elif self._last_call.active() and self._reactor.seconds() + grace < self._last_call.getTime():
            self._last_call.reset(grace)

    def _signal(self, number: int) -> None:
        # The command itself first, by its number: just now it may not have its environment yet.
        if self._child.pid is not None:
            send(self._child.pid, number)
        for pid in processes(self.record.details["mark"]):
            send(pid, number)


class Output(FileDescriptor):
    """Reads a pipe to its end."""

    def __init__(self, reactor: Any, descriptor: int, output: Callable[[bytes], None]) -> None:
        super().__init__(reactor)
        self._descriptor, self._give = descriptor, output
        self._closed: OneShot[None] = OneShot()
        setNonBlocking(descriptor)
        self.startReading()

    def fileno(self) -> int:
        """For the reactor."""
        return self._descriptor

    def doRead(self) -> Exception | None:
        """Give on what is there."""
        end: Exception | None = readFromFD(self._descriptor, self._give)
        return end

    def connectionLost(self, reason: Failure) -> None:
        """Everybody who could write is gone."""
        super().connectionLost(reason)
        os.close(self._descriptor)
        self._descriptor = -1
        self._closed.succeed(None)

    def close(self) -> None:
        """Read no more."""
        self.stopReading()
        self.connectionLost(Failure(CONNECTION_DONE))

    def when_closed(self) -> Deferred[None]:
        """Fire when all was given on."""
        return self._closed.wait()


def open_output(reactor: Any, output: Callable[[bytes], None]) -> tuple[Output, int]:
    """Make a pipe, and answer its reader and the end to write to.

    A pipe and not the log's own file: whoever has a file's descriptor can also empty it.
    """
    read_end, write_end = os.pipe()
    return Output(reactor, read_end, output), write_end
