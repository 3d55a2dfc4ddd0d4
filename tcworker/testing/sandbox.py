"""A sandbox of L{tcworker.testing.platform.FakePlatform} that runs, and what is left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IProcessProtocol, IReactorTime
from zope.interface import implementer

from tcworker.errors import SandboxAborted, SandboxEnded, TaskError
from tcworker.interfaces import (
    ArchiveFault,
    CommandRecord,
    ExitStatus,
    IArchivedFile,
    ICacheFolder,
    IExec,
    IExecution,
    IResult,
    SandboxRecord,
    Size,
    Usage,
)
from tcworker.testing.exec import FakeExec
from tcworker.testing.files import Files
from tcworker.testing.script import SIGKILL, SIGTERM, Script
from tcworker.waiting import OneShot


@implementer(IExecution)
class FakeExecution:
    """A script that runs.

    @ivar files: what its task sees.
    @ivar has_result: whether it has ended and left a result.
    @ivar usage: what L{measure} answers.
    @param freed: called once, when nothing of the sandbox is left.
    @param take_back: takes a cache out of C{files}.
    """

    def __init__(
        self,
        clock: IReactorTime,
        steps: Sequence[Mapping[str, Any]],
        *,
        env: Mapping[str, str],
        files: Files,
        record: SandboxRecord,
        output: Callable[[bytes], None],
        freed: Callable[[], None],
        take_back: Callable[[ICacheFolder], None] = lambda _: None,
    ) -> None:
        self._clock, self._steps = clock, steps
        self._started = clock.seconds()
        self._env = env
        self._freed, self._take_back = freed, take_back
        self._finished: OneShot[IResult] = OneShot()
        self.has_result = False
        self.usage = Usage(cpu=0.0, memory=0, disk=0, processes=1)
        self._over = False
        self._killed: str | None = None
        self._last_call: IDelayedCall | None = None
        self._execs: list[FakeExec] = []
        self.files, self.record = files, record
        self._script = Script(clock, steps, env=env, files=files, output=output, ended=self._script_ended)

    @property
    def processes(self) -> Sequence[str]:
        """The names of those that live: C{main}, daemons and execs."""
        if self._over:
            return []
        return ["main", *self._script.processes, *(exec_.name for exec_ in self._execs if exec_.alive)]

    def when_finished(self) -> Deferred[IResult]:
        """See L{IExecution.when_finished}."""
        return self._finished.wait()

    def kill(self, why: str, grace: float) -> None:
        """See L{IExecution.kill}."""
        if self._over:
            return
        self._killed = self._killed or why
        self._kill_within(grace)
        self._script.signal(SIGTERM)

    def abort(self, why: str) -> Deferred[None]:
        """See L{IExecution.abort}."""
        if self.has_result:
            return fail(SandboxEnded("the sandbox has ended, its result is there and must be disposed"))
        if self._end_processes():
            self._break(SandboxAborted(why))
        return succeed(None)

    def new_exec(
        self, protocol: IProcessProtocol, command: Sequence[str], env: Mapping[str, str], tty: Size | None
    ) -> Deferred[IExec]:
        """See L{IExecution.new_exec}; L{FakeExec} says which commands there are."""
        return execute(self._new_exec, protocol, command, env, tty)

    def measure(self) -> Deferred[Usage]:
        """See L{IExecution.measure}; what C{usage} holds, with the processes that live."""
        if self._over:
            return fail(SandboxEnded("the sandbox has ended, it uses nothing"))
        return succeed(replace(self.usage, processes=len(self.processes)))

    def _new_exec(
        self, protocol: IProcessProtocol, command: Sequence[str], env: Mapping[str, str], tty: Size | None
    ) -> IExec:
        if self._over:
            raise SandboxEnded("the sandbox has ended, nothing more can run in it")
        exec_ = FakeExec(self._clock, protocol, command, {**self._env, **env}, tty)
        self._execs.append(exec_)
        return exec_

    def _kill_within(self, grace: float) -> None:
        # A shorter grace wins, a longer one changes nothing.
        if self._last_call is None:
            self._last_call = self._clock.callLater(grace, self._script.signal, SIGKILL)
        elif self._clock.seconds() + grace < self._last_call.getTime():
            self._last_call.reset(grace)

    def _script_ended(self, how: ExitStatus | TaskError) -> None:
        if self._end_processes():
            if isinstance(how, TaskError):
                self._break(how)
            else:
                self._finished.succeed(self._result(how))

    def _end_processes(self) -> bool:
        """Every process is dead before anybody hears of the end; the first end wins."""
        if self._over:
            return False
        self._over = True
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()
        # After the mark that it is over: what the script says as it dies is no end any more.
        self._script.signal(SIGKILL)
        for exec_ in self._execs:
            exec_.abort()
        return True

    def _break(self, error: Exception) -> None:
        self._freed()
        self._finished.fail(error)

    def _result(self, how: ExitStatus) -> FakeResult:
        self.has_result = True
        wall = self._clock.seconds() - self._started
        return FakeResult(
            success=how.success and self._killed is None,
            killed=self._killed,
            commands=[CommandRecord(["script"], how, wall=wall)],
            out_of_memory=self._script.out_of_memory,
            files=self.files,
            freed=self._freed,
            take_back=self._take_back,
        )


@implementer(IResult)
class FakeResult:
    """What a script left behind."""

    def __init__(
        self,
        *,
        success: bool = True,
        killed: str | None = None,
        commands: Sequence[CommandRecord] = (),
        out_of_memory: bool = False,
        files: Files | None = None,
        freed: Callable[[], None] = lambda: None,
        take_back: Callable[[ICacheFolder], None] = lambda _: None,
    ) -> None:
        self.success, self.killed = success, killed
        self.commands, self.out_of_memory = commands, out_of_memory
        self.files = files or Files()
        self.disposed = False
        self._freed, self._take_back = freed, take_back

    def archive_file(self, path: str) -> Deferred[IArchivedFile]:
        """See L{IResult.archive_file}."""
        return execute(self.files.archive_file, path)

    async def archive_folder(self, path: str) -> AsyncIterator[IArchivedFile | ArchiveFault]:
        """See L{IResult.archive_folder}."""
        for entry in self.files.archive_folder(path):
            yield entry

    async def archive(self) -> AsyncIterator[bytes]:
        """See L{IResult.archive}."""
        yield self.files.tar()

    def detach_cache(self, folder: ICacheFolder) -> Deferred[None]:
        """See L{IResult.detach_cache}."""
        return execute(self._take_back, folder)

    def dispose(self) -> Deferred[None]:
        """See L{IResult.dispose}."""
        if not self.disposed:
            self.disposed = True
            self.files = Files()
            self._freed()
        return succeed(None)
