"""The native platform: tasks are processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.config import Config
from tcworker.engine.native.account import TaskUser, check_way, find_user
from tcworker.engine.native.engine import NativeEngine
from tcworker.engine.native.environment import inherited
from tcworker.engine.native.folder import left_in, remove_left
from tcworker.engine.native.launcher import LauncherLink
from tcworker.engine.native.leftovers import clean_up, sweep_groups
from tcworker.engine.native.means import Means
from tcworker.errors import FeatureNotSupported
from tcworker.interfaces import ICacheFolder, IEngine, IPlatform, ITaskContext, Reach, SandboxRecord
from tcworker.process import IReactor
from tcworker.waiting import Loose, Threads

_THREADS = 4

_NOT_REMOVED = (
    "what was left in {place} cannot all be removed: {error}. The worker goes on, and tries again at its next start. "
    "Look whether something is mounted there or made immutable (lsattr), and remove it."
)

_log = Logger()


@implementer(IPlatform)
class NativePlatform:
    """See L{IPlatform}.

    @param config: C{tasks_dir}, C{task_user} and C{inherit_env} are used.
    """

    name = "native"
    schema: Mapping[str, Any] = {
        "properties": {
            "command": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            }
        },
        "required": ["command"],
    }

    def __init__(self, reactor: IReactor, config: Config) -> None:
        self._means = Means(
            reactor=reactor,
            launcher=LauncherLink(reactor),
            threads=Threads(reactor, _THREADS, "native"),
            user=find_user(config.task_user),
            tasks_dir=config.tasks_dir,
            inherited=inherited(os.environ, config.inherit_env),
        )
        self._loose = Loose(_log)

    @property
    def reach(self) -> Reach:
        """See L{IPlatform.reach}: all tasks run as one user."""
        return Reach.WORKER if self._means.user.switch is None else Reach.EACH_OTHER

    def accepts(self, payload: Mapping[str, Any]) -> bool:
        """See L{IPlatform.accepts}."""
        return "command" in payload and "image" not in payload

    def prepare(self, left: Sequence[SandboxRecord]) -> Deferred[None]:
        """See L{IPlatform.prepare}."""
        return Deferred.fromCoroutine(self._prepare(left))

    def new_engine(self, context: ITaskContext) -> IEngine:
        """See L{IPlatform.new_engine}."""
        return NativeEngine(self._means, context)

    def new_cache_folder(self, name: str) -> Deferred[ICacheFolder]:
        """See L{IPlatform.new_cache_folder}."""
        return fail(FeatureNotSupported("tasks that run natively on this worker cannot have caches"))

    def dispose(self) -> Deferred[None]:
        """See L{IPlatform.dispose}."""
        return Deferred.fromCoroutine(self._dispose())

    async def _prepare(self, left: Sequence[SandboxRecord]) -> None:
        threads, tasks_dir = self._means.threads, self._means.tasks_dir
        for record in left:
            await self._try(str(record.details.get("folder")), clean_up, record.details)
        await threads.run(_make_tasks_dir, tasks_dir, self._means.user)
        await self._try("control groups", sweep_groups)
        # Tasks need not wait for this: whatever it is, it was in nobody's way before.
        if folders := await threads.run(left_in, tasks_dir):
            self._loose.run(self._sweep(folders), f"removing what was left in {tasks_dir}")
        await self._means.launcher.when_ready()

    async def _sweep(self, folders: Sequence[str]) -> None:
        for folder in folders:
            await self._try(folder, remove_left, folder)

    async def _try(self, place: str, work: Callable[..., None], *arguments: object) -> None:
        """Do something in a thread without which a worker can run."""
        try:
            await self._means.threads.run(work, *arguments)
        except CancelledError:
            raise
        except OSError as error:
            _log.error(_NOT_REMOVED, place=place, error=error)
        except Exception:
            _log.failure("removing what was left in {place} failed: look there and remove it", place=place)

    async def _dispose(self) -> None:
        try:
            await self._loose.cancel()
            await self._means.launcher.stop()
        finally:
            # Threads that nobody stops would keep the process from ending.
            await self._means.threads.stop()


def _make_tasks_dir(path: str, user: TaskUser) -> None:
    os.makedirs(path, 0o755, exist_ok=True)
    check_way(path, user)
