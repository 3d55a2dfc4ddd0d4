"""A native sandbox before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from zope.interface import implementer

from tcworker.engine.native.environment import task_environment
from tcworker.engine.native.execution import NativeExecution
from tcworker.engine.native.folder import make_folder, remove_folder
from tcworker.engine.native.loan import Loan
from tcworker.engine.native.means import Means
from tcworker.engine.native.sandbox import Sandbox
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.errors import Discarded, FeatureNotSupported, MalformedPayload, NamingConflict, ResourceUnavailable
from tcworker.interfaces import ICacheFolder, IEngine, IExecution, ITaskContext, SandboxRecord, Service
from tcworker.waiting import OneShot


@implementer(IEngine)
class NativeEngine:
    """See L{IEngine}.

    @param means: what all runs of the platform share.
    """

    def __init__(self, means: Means, context: ITaskContext) -> None:
        self._means, self._context = means, context
        self._commands: Sequence[Sequence[str]] = context.payload["command"]
        self._env: dict[str, str] = {}
        self._discarded = False
        self._starting: Deferred[IExecution] | None = None
        self._settled: OneShot[None] = OneShot()
        _check_commands(self._commands)

    def set_env(self, name: str, value: str) -> None:
        """See L{IEngine.set_env}."""
        if not name or "=" in name or not _fits(name):
            raise MalformedPayload(f"env: {name!r} cannot be the name of a variable")
        if not _fits(value):
            raise MalformedPayload(f"env.{name}: its value has a character that no variable can have")
        if name in self._env:
            raise NamingConflict(f"env.{name}: the variable is set twice")
        self._env[name] = value

    def join_group(self, name: str) -> None:
        """See L{IEngine.join_group}."""
        raise _not_supported("groups of their own")

    def run_as_worker(self) -> None:
        """See L{IEngine.run_as_worker}."""
        raise _not_supported("the rights of the worker")

    def attach_cache(self, folder: ICacheFolder, target: str, read_only: bool) -> Deferred[None]:
        """See L{IEngine.attach_cache}."""
        return fail(_not_supported("caches"))

    def attach_proxy(self, name: str, resource: Any) -> Deferred[str]:
        """See L{IEngine.attach_proxy}."""
        return fail(_not_supported("proxies"))

    def attach_service(self, service: Service) -> Deferred[None]:
        """See L{IEngine.attach_service}."""
        return fail(_not_supported("services beside a task"))

    def start(self) -> Deferred[IExecution]:
        """See L{IEngine.start}."""
        if self._discarded:
            return fail(Discarded("the sandbox was discarded before it started"))
        if self._starting is not None:
            return fail(RuntimeError("the sandbox was started before"))
        self._starting = Deferred.fromCoroutine(self._start())
        return self._starting

    def discard(self) -> Deferred[None]:
        """See L{IEngine.discard}."""
        self._discarded = True
        if self._starting is None:
            return succeed(None)
        # Its result says when nothing is left, well or not.
        self._starting.cancel()
        return self._settled.wait()

    async def _start(self) -> IExecution:
        try:
            return await self._begin()
        except CancelledError:
            if self._discarded:
                raise Discarded("the sandbox was discarded while it started") from None
            raise
        finally:
            self._settled.succeed(None)

    async def _begin(self) -> IExecution:
        sandbox = self._new_sandbox()
        try:
            started = await sandbox.supervisor.when_started()
        except BaseException:
            # A second cancel must not leave half of it behind.
            await _whatever_happens(sandbox.free())
            raise
        details = {name: started[name] for name in ("pid", "startTime", "group")}
        record = SandboxRecord("native", {"folder": sandbox.folder, **details})
        return NativeExecution(self._context, self._commands, sandbox, record)

    def _new_sandbox(self) -> Sandbox:
        folder = self._make_folder()
        try:
            return self._supervise(folder)
        except OSError as error:
            remove_folder(folder)
            raise ResourceUnavailable(f"the task cannot be started: {error.strerror}") from error
        except BaseException:
            remove_folder(folder)
            raise

    def _make_folder(self) -> str:
        parent, owner = self._means.tasks_dir, self._means.user.owner
        try:
            return make_folder(parent, self._context.task_id, self._context.run_id, owner)
        except OSError as error:
            raise ResourceUnavailable(f"no folder for the task can be made in {parent}: {error.strerror}") from error

    def _supervise(self, folder: str) -> Sandbox:
        means = self._means
        loan = Loan(self._context.log)
        order = {
            "folder": folder,
            "env": task_environment(folder, means.user.name, means.inherited, self._env),
            "account": means.user.switch,
            "limit": loan.lent.limit,
        }
        try:
            supervised = means.launcher.supervise(order, loan.lent.descriptor, loan.lent.ring)
        except BaseException:
            loan.give_back()
            raise
        supervisor = SupervisorLink(means.reactor, supervised)
        # What was written while the supervisor was found comes first.
        loan.pass_to(supervisor.append)
        return Sandbox(means, folder, loan, supervisor)


async def _whatever_happens(work: Deferred[Any]) -> None:
    """Wait for some work that goes on even if somebody cancels the wait."""
    done: OneShot[Any] = OneShot()
    work.addCallbacks(done.succeed, done.fail)
    await done.wait()


def _check_commands(commands: Sequence[Sequence[str]]) -> None:
    """Raise L{MalformedPayload} for what the kernel cannot take."""
    faults = [
        f"payload.command[{row}][{column}]: found a character that no argument can have"
        for row, argv in enumerate(commands)
        for column, argument in enumerate(argv)
        if not _fits(argument)
    ]
    if faults:
        raise MalformedPayload(*faults)


def _fits(text: str) -> bool:
    """Whether the kernel can take a text."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _not_supported(what: str) -> FeatureNotSupported:
    return FeatureNotSupported(f"tasks that run natively on this worker cannot have {what}")
