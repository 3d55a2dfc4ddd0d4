"""A platform in memory, for tests of whatever runs tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.engine.attached import Attached, Attachments
from tcworker.errors import Discarded, FeatureNotSupported, MalformedPayload, NamingConflict
from tcworker.interfaces import (
    ICacheFolder,
    IEngine,
    IExecution,
    IPlatform,
    ITaskContext,
    Reach,
    SandboxRecord,
    Service,
)
from tcworker.testing.caches import MemoryHome
from tcworker.testing.files import Files, Node
from tcworker.testing.mounts import FakeMounts
from tcworker.testing.sandbox import FakeExecution
from tcworker.testing.script import task_error
from tcworker.waiting import pause


class FakeMachine:
    """What outlives a worker.

    @ivar sandboxes: those that nobody disposed, by name; C{None} for one that is being started.
    @ivar files: what every sandbox sees at these absolute paths.
    @ivar caches: the folders of caches.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self.sandboxes: dict[str, FakeExecution | None] = {}
        self.files: dict[str, Node] = {}
        self.caches = MemoryHome()

    def new_name(self) -> str:
        """A name that no sandbox had before."""
        return f"fake-{next(self._numbers)}"

    def processes(self) -> list[str]:
        """Every process that lives, as C{sandbox/process}."""
        running = ((name, sandbox) for name, sandbox in self.sandboxes.items() if sandbox is not None)
        return [f"{name}/{process}" for name, sandbox in running for process in sandbox.processes]

    def new_files(self) -> Files:
        """What a new sandbox sees."""
        files = Files()
        for path, node in self.files.items():
            files.make(path, node)
        return files

    def files_of(self, record: SandboxRecord) -> Files:
        """What a sandbox sees that nobody disposed."""
        sandbox = self.sandboxes[record.details["name"]]
        assert sandbox is not None
        return sandbox.files

    def free(self, name: str) -> None:
        """Nothing of a sandbox is left."""
        self.sandboxes.pop(name, None)


@implementer(IPlatform)
class FakePlatform:
    """A platform that runs tasks in memory, by the clock that it is given.

    Its payload:
      - C{script}: the steps of the task's one command, see L{tcworker.testing.script.Script};
      - C{start}: C{{"seconds": n, "reason": r, "message": m}}, all optional: how long a start takes, and how it fails;
      - C{malformed}: what L{new_engine} refuses the payload with.

    A start that takes no time fires at once; the script begins in the next turn of the clock.

    @ivar reach: of its engines.
    @ivar machine: may be handed to a second platform, which then stands for the worker after a restart.
    @ivar executions: every sandbox that was started, in order.
    """

    name = "fake"
    reach: Reach = Reach.NOTHING
    schema: Mapping[str, Any] = {
        "properties": {
            "script": {"type": "array", "items": {"type": "object", "minProperties": 1, "maxProperties": 1}},
            "start": {"type": "object"},
            "malformed": {"type": "string"},
        },
        "required": ["script"],
    }

    def __init__(self, clock: IReactorTime, config: object = None, machine: FakeMachine | None = None) -> None:
        self.clock = clock
        self.machine = machine or FakeMachine()
        self.executions: list[FakeExecution] = []

    def accepts(self, payload: Mapping[str, Any]) -> bool:
        """See L{IPlatform.accepts}."""
        return "script" in payload

    def prepare(self, left: Sequence[SandboxRecord]) -> Deferred[None]:
        """See L{IPlatform.prepare}."""
        for record in left:
            sandbox = self.machine.sandboxes.get(record.details["name"])
            if sandbox is not None:
                # One that has a result refuses to be aborted; it is freed below.
                sandbox.abort("its worker is gone").addErrback(lambda _: None)
            self.machine.free(record.details["name"])
        return succeed(None)

    def sweep(self) -> Deferred[None]:
        """See L{IPlatform.sweep}."""
        return succeed(None)

    def new_engine(self, context: ITaskContext) -> IEngine:
        """See L{IPlatform.new_engine}."""
        if "malformed" in context.payload:
            raise MalformedPayload(context.payload["malformed"])
        return FakeEngine(self, context)

    def new_cache_folder(self, name: str) -> Deferred[ICacheFolder]:
        """See L{IPlatform.new_cache_folder}."""
        return self.machine.caches.new(name)

    def find_cache_folder(self, name: str, details: Mapping[str, Any]) -> Deferred[ICacheFolder | None]:
        """See L{IPlatform.find_cache_folder}."""
        return self.machine.caches.find(name, details)

    def sweep_cache_folders(self) -> Deferred[None]:
        """See L{IPlatform.sweep_cache_folders}."""
        return self.machine.caches.sweep()

    def dispose(self) -> Deferred[None]:
        """See L{IPlatform.dispose}."""
        if self.machine.sandboxes:
            raise AssertionError(f"sandboxes are left: {sorted(self.machine.sandboxes)}")
        return succeed(None)


@implementer(IEngine)
class FakeEngine:
    """A script before it runs.

    @ivar groups: what it was told to join.
    @ivar as_worker: whether it shall run as the worker's own user.
    """

    def __init__(self, platform: FakePlatform, context: ITaskContext) -> None:
        self._platform, self._context = platform, context
        self._env: dict[str, str] = {}
        self._attached = Attachments()
        self.groups: set[str] = set()
        self.reach = platform.reach
        self.as_worker = False
        self._consumed = self._discarded = False
        self._starting: Deferred[IExecution] | None = None

    def set_env(self, name: str, value: str) -> None:
        """See L{IEngine.set_env}."""
        if not name or "=" in name or "\0" in name + value:
            raise MalformedPayload(f"{name!r} cannot be a variable's name, or has a value that no variable can have")
        if name in self._env:
            raise NamingConflict(f"the variable {name} is set twice")
        self._env[name] = value

    def join_group(self, name: str) -> None:
        """See L{IEngine.join_group}; there is one group, C{known}."""
        if name != "known":
            raise MalformedPayload(f"there is no group {name}")
        self.groups.add(name)

    def run_as_worker(self) -> None:
        """See L{IEngine.run_as_worker}."""
        self.as_worker = True

    def attach_cache(
        self, folder: ICacheFolder, target: str, label: str, too_large: Callable[[], None] | None = None
    ) -> Deferred[None]:
        """See L{IEngine.attach_cache}; there is always room."""
        return execute(lambda: self._attached.add(Attached.cache(folder, target, label, too_large)))

    def attach_tree(self, folder: ICacheFolder, target: str, label: str, read_only: bool) -> Deferred[None]:
        """See L{IEngine.attach_tree}."""
        return execute(lambda: self._attached.add(Attached.tree(folder, target, label, read_only)))

    def attach_file(self, path: str, target: str, label: str) -> Deferred[None]:
        """See L{IEngine.attach_file}."""
        return execute(lambda: self._attached.add(Attached.file(path, target, label)))

    def attach_proxy(self, name: str, resource: Any) -> Deferred[str]:
        """See L{IEngine.attach_proxy}."""
        return fail(FeatureNotSupported("the fake platform has no proxies"))

    def attach_service(self, service: Service) -> Deferred[None]:
        """See L{IEngine.attach_service}."""
        return fail(FeatureNotSupported("the fake platform has no services"))

    def start(self) -> Deferred[IExecution]:
        """See L{IEngine.start}."""
        if self._discarded:
            return fail(Discarded("the sandbox was discarded before it started"))
        if self._consumed:
            return fail(RuntimeError("the sandbox was started before"))
        self._consumed = True
        self._starting = Deferred.fromCoroutine(self._start())
        return self._starting

    def discard(self) -> Deferred[None]:
        """See L{IEngine.discard}."""
        self._discarded = True
        if self._starting is not None:
            self._starting.cancel()
        return succeed(None)

    async def _start(self) -> IExecution:
        how = self._context.payload.get("start", {})
        name = self._platform.machine.new_name()
        # Reserved before it runs, so that a start that leaves something behind is seen.
        self._platform.machine.sandboxes[name] = None
        try:
            await self._take_time(how.get("seconds", 0))
            if "reason" in how:
                raise task_error(how["reason"], how.get("message", "the sandbox does not start"))
            return self._run(name)
        except BaseException:
            self._platform.machine.free(name)
            raise

    async def _take_time(self, seconds: float) -> None:
        try:
            if seconds:
                await pause(self._context.clock, seconds)
        except CancelledError:
            # Who cancels the start gets a cancellation, who discards it gets its word.
            if self._discarded:
                raise Discarded("the sandbox was discarded while it started") from None
            raise

    def _run(self, name: str) -> FakeExecution:
        machine = self._platform.machine
        files = machine.new_files()
        mounts = FakeMounts(files, self._attached)
        mounts.place()
        execution = FakeExecution(
            self._platform.clock,
            self._context.payload["script"],
            env=self._env,
            files=files,
            take_back=mounts.take_back,
            record=SandboxRecord(self._platform.name, {"name": name}),
            output=self._context.log.write,
            freed=lambda: machine.free(name),
        )
        machine.sandboxes[name] = execution
        self._platform.executions.append(execution)
        return execution
