"""A native sandbox that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProcessProtocol
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.engine.native import report
from tcworker.engine.native.exec import start_exec
from tcworker.engine.native.result import NativeResult
from tcworker.engine.native.sandbox import Sandbox
from tcworker.errors import (
    Cause,
    FeatureNotSupported,
    InternalError,
    ResourceUnavailable,
    SandboxAborted,
    SandboxEnded,
    TaskError,
    TaskFailed,
)
from tcworker.interfaces import (
    CommandRecord,
    ExitStatus,
    IExec,
    IExecution,
    IResult,
    ITaskContext,
    SandboxRecord,
    Size,
    Usage,
)
from tcworker.launcher.limits import Limits
from tcworker.launcher.wire import Message
from tcworker.waiting import Loose, OneShot

_OF_MACHINE = "memory of the machine"
"""Beside the controllers of limits: it was met when the kernel killed for want of memory at all."""

_USES_NOTHING = "the sandbox has ended, it uses nothing"

_log = Logger()


@implementer(IExecution)
class NativeExecution:
    """See L{IExecution}; its commands run from the moment that it is made."""

    def __init__(
        self, context: ITaskContext, commands: Sequence[Sequence[str]], sandbox: Sandbox, record: SandboxRecord
    ) -> None:
        self.record = record
        self._context, self._commands, self._sandbox = context, commands, sandbox
        self._supervisor = sandbox.supervisor
        self._finished: OneShot[IResult] = OneShot()
        self._records: list[CommandRecord] = []
        self._exceeded: set[str] = set()
        self._killed: str | None = None
        self._error: Exception | None = None
        self._result: NativeResult | None = None
        self._commands_over = False
        self._loose = Loose(_log)
        broken = self._supervisor.when_log_broken().addCallback(self._log_broken)
        self._loose.run(broken, f"ending {context.name}, whose log cannot be written")
        self._loose.run(self._drive(), f"running {context.name}")

    def when_finished(self) -> Deferred[IResult]:
        """See L{IExecution.when_finished}."""
        return self._finished.wait()

    def kill(self, why: str, grace: float) -> None:
        """See L{IExecution.kill}."""
        if self._finished.fired:
            return
        if not self._commands_over:
            # The first reason is why it ended; later ones only hurry.
            self._killed = self._killed or why
        # What nobody asked to end before is being killed without any grace.
        self._supervisor.kill(grace if self._killed else 0)

    def abort(self, why: str) -> Deferred[None]:
        """See L{IExecution.abort}."""
        return Deferred.fromCoroutine(self._abort(why))

    def new_exec(
        self, protocol: IProcessProtocol, command: Sequence[str], env: Mapping[str, str], tty: Size | None
    ) -> Deferred[IExec]:
        """See L{IExecution.new_exec}."""
        return Deferred.fromCoroutine(self._new_exec(protocol, command, env, tty))

    def measure(self) -> Deferred[Usage]:
        """See L{IExecution.measure}."""
        return Deferred.fromCoroutine(self._measure())

    async def _abort(self, why: str) -> None:
        if self._result is not None:
            raise SandboxEnded("the sandbox has ended, its result is there and must be disposed")
        self._end_with(SandboxAborted(why))
        # However it ends: afterwards nothing lives.
        await self._finished.wait().addErrback(lambda _: None)

    async def _new_exec(
        self, protocol: IProcessProtocol, command: Sequence[str], env: Mapping[str, str], tty: Size | None
    ) -> IExec:
        if self._commands_over or self._finished.fired:
            raise SandboxEnded("the sandbox has ended, nothing more can run in it")
        means = self._sandbox.means
        return await start_exec(means.reactor, self._supervisor, self._sandbox.user.owner, protocol, command, env, tty)

    async def _measure(self) -> Usage:
        if self._commands_over or self._finished.fired:
            raise SandboxEnded(_USES_NOTHING)
        try:
            used = await self._supervisor.measure()
        except (InternalError, TaskFailed) as error:
            # That it died is told to those who wait for the end.
            raise SandboxEnded(_USES_NOTHING) from error
        if "problem" in used:
            raise FeatureNotSupported(used["problem"])
        return Usage(used["cpu"], used["memory"], used["disk"], used["processes"])

    def _end_with(self, error: Exception) -> None:
        """Let nothing live, and have no result; the first error stays."""
        if self._error is None and not self._finished.fired:
            self._error = error
            self._supervisor.kill(0)

    def _log_broken(self, problem: str) -> None:
        folder = self._context.folder
        why = f"the task's log in {folder} cannot be written: {problem}"
        self._end_with(ResourceUnavailable(why, cause=Cause.NO_DISK, evidence={"path": folder, "error": problem}))

    async def _drive(self) -> None:
        try:
            await self._run_commands()
            self._commands_over = True
            # Lines from now on wait until the supervisor has written those that are on their way to it.
            self._sandbox.loan.hold()
            self._look_at_limits(await self._supervisor.finish())
        except TaskError as error:
            self._error = self._error or error
        # Also what nobody expected must not leave a sandbox behind.
        except BaseException as error:
            await self._fail(error)
            raise
        self._sandbox.loan.give_back()
        if self._error is not None:
            await self._fail(self._error)
        else:
            self._result = self._new_result()
            self._finished.succeed(self._result)

    async def _fail(self, error: BaseException) -> None:
        self._commands_over = True
        try:
            await self._sandbox.free()
        finally:
            self._finished.fail(error if isinstance(error, Exception) else InternalError(repr(error)))

    async def _run_commands(self) -> None:
        for index, argv in enumerate(self._commands):
            if self._stopping:
                return
            self._context.log.info(report.opening(index, argv))
            end = await self._supervisor.run(argv)
            record = _record(argv, end)
            self._records.append(record)
            if end["outOfMemory"]:
                self._exceeded.add(_OF_MACHINE)
            self._report(record)
            self._look_at_limits(end)
            # As the reference: the first failure ends the task.
            if not record.exit.success or self._over_memory:
                return

    def _look_at_limits(self, message: Message) -> None:
        """Tell of limits that the task met; one whose memory was too little has failed, however its commands ended."""
        new = set(message["exceeded"]) - self._exceeded
        self._exceeded |= new
        limits = self._sandbox.means.launcher.limits
        if "memory" in new:
            self._context.log.error(_needed_more_than(limits))
        if "pids" in new:
            self._context.log.warn(_was_refused_more_than(limits))

    @property
    def _over_memory(self) -> bool:
        return "memory" in self._exceeded

    @property
    def _out_of_memory(self) -> bool:
        """Whether the kernel killed for want of memory, be it the task's or the machine's."""
        return self._over_memory or _OF_MACHINE in self._exceeded

    @property
    def _stopping(self) -> bool:
        return self._killed is not None or self._error is not None

    def _report(self, record: CommandRecord) -> None:
        if record.problem is None:
            self._context.log.info(report.closing(record, self._killed))
        else:
            self._context.log.error(report.not_started(record))

    def _new_result(self) -> NativeResult:
        all_ran = len(self._records) == len(self._commands)
        success = (
            self._killed is None
            and not self._over_memory
            and all_ran
            and all(record.exit.success for record in self._records)
        )
        return NativeResult(self._sandbox, success, self._killed, self._records, self._out_of_memory)


def _record(argv: Sequence[str], end: Message) -> CommandRecord:
    """Raises L{ResourceUnavailable} if the machine did not have what it takes to run a command."""
    if "broken" in end:
        raise ResourceUnavailable(end["broken"])
    how = ExitStatus(end["status"], end["signal"])
    use = (end["user"], end["system"], end["wall"], end["peak"])
    return CommandRecord(argv, how, *use, end["problem"], end["leastPeak"])


def _needed_more_than(limits: Limits) -> str:
    return f"The task needed more than the {limits.megabytes} MB of memory that a task may have here (limits.memoryMB)"


def _was_refused_more_than(limits: Limits) -> str:
    return f"The task was refused more than the {limits.pids} processes that a task may have here (limits.pids)"
