"""A native sandbox before it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, execute, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.engine.attached import Attached, Attachments
from tcworker.engine.native import report
from tcworker.engine.native.disk_errors import NoRoom, as_task_error
from tcworker.engine.native.environment import task_environment
from tcworker.engine.native.execution import NativeExecution
from tcworker.engine.native.home import Home, make_home, remove_home, write_credentials
from tcworker.engine.native.loan import Loan
from tcworker.engine.native.means import Means
from tcworker.engine.native.placement import Placement
from tcworker.engine.native.porter import Porter
from tcworker.engine.native.sandbox import Sandbox
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.engine.native.task_user import find_user
from tcworker.errors import (
    Discarded,
    FeatureNotSupported,
    InternalError,
    MalformedPayload,
    NamingConflict,
    ResourceUnavailable,
)
from tcworker.interfaces import ICacheFolder, IEngine, IExecution, ITaskContext, Reach, SandboxRecord, Service
from tcworker.task.with_room import with_room
from tcworker.waiting import Loose, OneShot

_FIRST_SECONDS = 300.0
"""What a program may take that runs before a task: nothing that the task says limits it."""


_CREDENTIALS = "TASK_USER_CREDENTIALS"

_log = Logger()


class _Unseen(Exception):
    """Kernel or disk do not let a run see what is attached to it; the text says why."""

    def __init__(self, why: str, lasting: bool) -> None:
        super().__init__(why)
        self.lasting = lasting


@implementer(IEngine)
class NativeEngine:
    """See L{IEngine}.

    @param means: what all runs of the platform share.
    """

    def __init__(self, means: Means, context: ITaskContext) -> None:
        self._means, self._context = means, context
        self._commands: Sequence[Sequence[str]] = context.payload["command"]
        self._env: dict[str, str] = {}
        self._groups: list[str] = []
        self._attached = Attachments()
        self._as_worker = self._discarded = False
        self._starting: Deferred[IExecution] | None = None
        self._settled: OneShot[None] = OneShot()
        self._loose = Loose(_log)
        _check_commands(self._commands)

    def set_env(self, name: str, value: str) -> None:
        """See L{IEngine.set_env}."""
        if not name or "=" in name or not _fits(name):
            raise MalformedPayload(f"env: {name!r} cannot be the name of a variable")
        if not _fits(value):
            raise MalformedPayload(f"env.{name}: its value has a character that no variable can have")
        if name in self._env:
            raise _set_twice(name)
        self._env[name] = value

    @property
    def reach(self) -> Reach:
        """See L{IEngine.reach}."""
        return Reach.WORKER if self._as_worker else self._means.users.reach

    def join_group(self, name: str) -> None:
        """See L{IEngine.join_group}."""
        self._means.users.check_group(name)
        self._groups.append(name)

    def run_as_worker(self) -> None:
        """See L{IEngine.run_as_worker}. A user that is the run's alone it has all the same, and can log in as that."""
        self._as_worker = True

    def attach_cache(
        self, folder: ICacheFolder, target: str, label: str, too_large: Callable[[], None] | None = None
    ) -> Deferred[None]:
        """See L{IEngine.attach_cache}."""
        return execute(self._attach, Attached.cache, folder, target, label, too_large)

    def attach_tree(self, folder: ICacheFolder, target: str, label: str, read_only: bool) -> Deferred[None]:
        """See L{IEngine.attach_tree}."""
        return execute(self._attach, Attached.tree, folder, target, label, read_only)

    def attach_file(self, path: str, target: str, label: str) -> Deferred[None]:
        """See L{IEngine.attach_file}."""
        return execute(self._attach, Attached.file, path, target, label)

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
        return Deferred.fromCoroutine(self._gone())

    async def _gone(self) -> None:
        await self._settled.wait()
        # Whoever starts may be cancelled once more while it clears away.
        await self._loose.wait()

    async def _start(self) -> IExecution:
        try:
            return await self._begin()
        except CancelledError:
            if self._discarded:
                raise Discarded("the sandbox was discarded while it started") from None
            raise
        finally:
            self._settled.succeed(None)

    def _attach(self, kind: Callable[..., Attached], *arguments: object) -> None:
        attached = kind(*arguments)
        if not attached.source:
            raise FeatureNotSupported("native tasks can have no folder that is not on this machine's disk")
        self._attached.add(attached)

    async def _begin(self) -> IExecution:
        try:
            # From the beginning each time: all that was placed has made room, too.
            return await with_room(self._context.caches.make_room, self._begin_showing)
        except NoRoom as error:
            if error.too_large is not None:
                error.too_large()
            raise

    async def _begin_showing(self) -> IExecution:
        showing = self._means.showing
        try:
            return await self._begin_once(showing.possible)
        except _Unseen as error:
            _log.warn(
                "{run} gets copies of what is mounted, which takes longer: {why}", run=self._context.name, why=error
            )
            showing.possible = showing.possible and not error.lasting
        return await self._begin_once(shows=False)

    async def _begin_once(self, shows: bool) -> IExecution:
        home = await make_home(self._means, self._context, self._groups, self._attached)
        porter, env = None, self._env
        try:
            if self._as_worker and self._means.users.own:
                env = {**env, **await self._let_log_in(home)}
            if self._attached:
                placement = Placement(home, self._attached, shows, self._as_worker)
                porter = Porter(placement, self._means.threads, self._context.caches)
            views = await porter.place() if porter is not None else []
            sandbox = self._supervise(home, porter, views, env)
        except BaseException as error:
            await self._loose.finish(self._clear(home, porter), f"clearing away {self._context.name}")
            if isinstance(error, OSError):
                raise as_task_error("the task cannot be started", error, home.folder) from error
            raise
        try:
            record = await self._when_started(sandbox)
        except BaseException:
            # A second cancel must not leave half of it behind.
            await self._loose.finish(sandbox.give_up(), f"giving up {self._context.name}")
            raise
        if porter is not None:
            porter.keep()
        return NativeExecution(self._context, self._commands, sandbox, record)

    async def _clear(self, home: Home, porter: Porter | None) -> None:
        try:
            if porter is not None:
                await _put_back(porter)
        finally:
            await self._means.threads.run(remove_home, self._means, home)

    async def _let_log_in(self, home: Home) -> Mapping[str, str]:
        """Let a task that runs as the worker start what shall not (contracts of generic-worker, 7).

        @return: the variable that says how.
        """
        if _CREDENTIALS in self._env:
            raise _set_twice(_CREDENTIALS)
        path, password = await self._means.threads.run(write_credentials, self._means, home)
        self._context.mask(password)
        return {_CREDENTIALS: path}

    def _supervise(
        self, home: Home, porter: Porter | None, views: Sequence[Mapping[str, Any]], env: Mapping[str, str]
    ) -> Sandbox:
        means = self._means
        user = find_user(None) if self._as_worker else home.user
        loan = Loan(self._context.log)
        # The folder may lie in /tmp. A task with root's rights may want to make what has some of them.
        private = (
            {"folder": home.private, "keep": [home.folder], "plain": not self._as_worker} if home.private else None
        )
        order = {
            "folder": home.folder,
            "env": task_environment(home.folder, user.name, means.inherited, env),
            "account": user.switch,
            "ownUser": means.users.own,
            "private": private,
            "views": self._views(home, views),
            "logLimit": loan.lent.limit,
        }
        try:
            supervised = means.launcher.supervise(order, loan.lent.descriptor, loan.lent.ring)
        except BaseException:
            loan.give_back()
            raise
        supervisor = SupervisorLink(means.reactor, supervised)
        # What was written while the supervisor was found comes first.
        loan.pass_to(supervisor.append)
        return Sandbox(means, home, user, loan, supervisor, porter)

    def _views(self, home: Home, views: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        if not views:
            return None
        owner = home.user.owner
        plain = owner is not None and not self._as_worker
        return {"views": views, "seenAs": owner or (os.geteuid(), os.getegid()), "plain": plain}

    async def _when_started(self, sandbox: Sandbox) -> SandboxRecord:
        started = await sandbox.supervisor.when_started()
        if "unseen" in started:
            raise _Unseen(started["unseen"], started["lasting"])
        if "broken" in started:
            raise ResourceUnavailable(f"the task cannot be started: {started['broken']}")
        if sandbox.home.private and not started["private"]:
            self._context.log.warn("the kernel here lets no task have a /tmp of its own: others see what is put there")
        if self._means.first_command and self._means.users.own and not self._as_worker:
            await self._run_first(sandbox, self._means.first_command)
        details = {name: started[name] for name in ("pid", "startTime", "groups")}
        return SandboxRecord("native", {**sandbox.home.details, **details})

    async def _run_first(self, sandbox: Sandbox, command: str) -> None:
        """Run what each new user runs before its task, whose output the task's author reads as well."""
        self._context.log.info(f"Executing {command} (runAfterUserCreation)")
        try:
            end = await sandbox.supervisor.run([command]).addTimeout(_FIRST_SECONDS, self._means.reactor)
        except TimeoutError:
            raise InternalError(f"{command} (runAfterUserCreation) took over {_FIRST_SECONDS:.0f} seconds") from None
        if end.get("status") != 0:
            raise InternalError(f"{command} (runAfterUserCreation) failed: {report.failure(end)}")


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


async def _put_back(porter: Porter) -> None:
    try:
        await porter.put_back()
    finally:
        await porter.end()


def _set_twice(name: str) -> NamingConflict:
    return NamingConflict(f"env.{name}: the variable is set twice")


def _fits(text: str) -> bool:
    """Whether the kernel can take a text."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _not_supported(what: str) -> FeatureNotSupported:
    return FeatureNotSupported(f"tasks that run natively on this worker cannot have {what}")
