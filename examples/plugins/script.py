"""A platform of somebody else's: every task is data for one command that the operator chose.

Pools that sign or publish things cannot let tasks bring commands of their own. Here the command stands in worker.yml;
it is given the task's payload as JSON on its input, in a fresh folder, and says by its exit status what becomes of the
task: 0 completed, 1 failed, 2 the payload is malformed. What it prints is the task's log.

Three classes are all that a platform needs, one for each phase of a sandbox: L{ScriptPlatform} makes a L{ScriptEngine}
(nothing runs yet), whose start gives a L{ScriptExecution} (in C{running.py}), which ends with a L{ScriptResult} (in
C{left.py}). C{tests/examples/test_script.py} runs the contract suite on them: do the same for your own.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred, execute, fail, succeed
from zope.interface import implementer

from examples.plugins.processes import MARK, kill_all
from examples.plugins.running import ScriptExecution
from tcworker.config import Config
from tcworker.errors import Discarded, FeatureNotSupported, InternalError, MalformedPayload, NamingConflict
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
from tcworker.waiting import Threads

NOT_HERE = "tasks of this pool are data for a fixed command, which cannot have "


@implementer(IPlatform)
class ScriptPlatform:
    """Runs the command that the configuration names.

    Its settings, under C{extensions} by this class's dotted name: C{command}, a list that begins with an absolute path,
    and C{schema}, a JSON schema (C{properties}, C{required}) of the payload.
    """

    name = "script"

    def __init__(self, reactor: Any, config: Config) -> None:
        settings = config.extensions[f"{type(self).__module__}.{type(self).__name__}"]
        self.reactor = reactor
        self.command: Sequence[str] = settings["command"]
        self.schema: Mapping[str, Any] = settings.get("schema", {"properties": {}, "required": []})
        self.folder = config.tasks_dir
        # Removing folders and walking through them blocks, and nothing may block the reactor.
        self.threads = Threads(reactor, 2, "script")

    def accepts(self, payload: Mapping[str, Any]) -> bool:
        """See L{IPlatform.accepts}: the schema decides what is wrong with a payload, this only whether it is ours."""
        return all(key in payload for key in self.schema.get("required", ()))

    def prepare(self, left: Sequence[SandboxRecord]) -> Deferred[None]:
        """See L{IPlatform.prepare}."""
        return Deferred.fromCoroutine(self._prepare(left))

    def sweep(self) -> Deferred[None]:
        """See L{IPlatform.sweep}."""
        # Records name all that this platform makes, and nothing else can be told from other people's.
        return succeed(None)

    def new_engine(self, context: ITaskContext) -> IEngine:
        """See L{IPlatform.new_engine}."""
        return ScriptEngine(self, context)

    def new_cache_folder(self, name: str) -> Deferred[ICacheFolder]:
        """See L{IPlatform.new_cache_folder}."""
        return fail(FeatureNotSupported(NOT_HERE + "caches"))

    def dispose(self) -> Deferred[None]:
        """See L{IPlatform.dispose}."""
        return self.threads.stop()

    async def _prepare(self, left: Sequence[SandboxRecord]) -> None:
        if not os.access(self.command[0], os.X_OK):
            raise FileNotFoundError(f"{self.command[0]} is not there or cannot be run: see extensions in worker.yml")
        os.makedirs(self.folder, exist_ok=True)
        # A worker that died could not clean up. Its records say what it was doing.
        for record in left:
            await self.threads.run(kill_all, record.details["mark"])
            await self.threads.run(shutil.rmtree, record.details["folder"], True)


@implementer(IEngine)
class ScriptEngine:
    """A task that has not started: features may set variables, and that is all."""

    # The command runs as the worker's own user, so it could read what an earlier task has not uploaded yet.
    reach = Reach.WORKER

    def __init__(self, platform: ScriptPlatform, context: ITaskContext) -> None:
        self._platform, self._context = platform, context
        self._env: dict[str, str] = {}
        self._over: Exception | None = None

    def set_env(self, name: str, value: str) -> None:
        """See L{IEngine.set_env}."""
        if not name or "=" in name or "\0" in name + value:
            raise MalformedPayload(f"a variable cannot have the name {name!r} and this value")
        if name in self._env:
            raise NamingConflict(f"the variable {name} is set twice")
        self._env[name] = value

    def join_group(self, name: str) -> None:
        """See L{IEngine.join_group}."""
        raise FeatureNotSupported(NOT_HERE + "groups")

    def run_as_worker(self) -> None:
        """See L{IEngine.run_as_worker}."""
        raise FeatureNotSupported(NOT_HERE + "rights beyond those of all tasks")

    def attach_cache(
        self, folder: ICacheFolder, target: str, label: str, too_large: Callable[[], None] | None = None
    ) -> Deferred[None]:
        """See L{IEngine.attach_cache}."""
        return fail(FeatureNotSupported(NOT_HERE + "caches"))

    def attach_tree(self, folder: ICacheFolder, target: str, label: str, read_only: bool) -> Deferred[None]:
        """See L{IEngine.attach_tree}."""
        return fail(FeatureNotSupported(NOT_HERE + "caches"))

    def attach_file(self, path: str, target: str, label: str) -> Deferred[None]:
        """See L{IEngine.attach_file}."""
        return fail(FeatureNotSupported(NOT_HERE + "mounted files"))

    def attach_proxy(self, name: str, resource: Any) -> Deferred[str]:
        """See L{IEngine.attach_proxy}."""
        return fail(FeatureNotSupported(NOT_HERE + "proxies"))

    def attach_service(self, service: Service) -> Deferred[None]:
        """See L{IEngine.attach_service}."""
        return fail(FeatureNotSupported(NOT_HERE + "services"))

    def start(self) -> Deferred[IExecution]:
        """See L{IEngine.start}. It takes no time, so there is nothing that could be cancelled or discarded midway."""
        return execute(self._start)

    def discard(self) -> Deferred[None]:
        """See L{IEngine.discard}: nothing has been made yet."""
        self._over = self._over or Discarded("the task was discarded before it started")
        return succeed(None)

    def _start(self) -> IExecution:
        if self._over is not None:
            raise self._over
        self._over = RuntimeError("the task was started before")
        try:
            folder = tempfile.mkdtemp(prefix="script-", dir=self._platform.folder)
        except OSError as error:
            raise InternalError(f"cannot make a folder for the task in {self._platform.folder}: {error}") from error
        try:
            return self._run(folder)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise InternalError(f"cannot run {self._platform.command[0]}: {error}") from error

    def _run(self, folder: str) -> IExecution:
        # The command and all that it starts have this in their environment, which is how they are found and killed.
        mark = uuid4().hex
        # An unnamed file and not a pipe: however long the payload, nobody has to feed it.
        with tempfile.TemporaryFile() as payload:
            payload.write(json.dumps(dict(self._context.payload)).encode())
            payload.seek(0)
            return ScriptExecution(
                self._platform.reactor,
                self._platform.threads,
                command=self._platform.command,
                # The worker's own environment may hold credentials: the command gets none of it.
                env={"PATH": os.defpath, "HOME": folder, **self._env, MARK: mark},
                folder=folder,
                payload=payload.fileno(),
                record=SandboxRecord(self._platform.name, {"folder": folder, "mark": mark}),
                output=self._context.log.write,
            )
