"""The native platform: tasks are processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from tcworker.cache.folders import Folders
from tcworker.config import Config
from tcworker.engine.native.engine import NativeEngine
from tcworker.engine.native.environment import inherited
from tcworker.engine.native.folder import (
    left_in,
    make_folder,
    remove_aside,
    remove_folder,
    remove_left,
    remove_unmarked,
    set_aside_in,
    unmarked_in,
)
from tcworker.engine.native.helpers import Helpers
from tcworker.engine.native.hold import MARKED_WITHIN
from tcworker.engine.native.home import remove_left_home
from tcworker.engine.native.launcher import LauncherLink, owner_of
from tcworker.engine.native.left_launchers import end_left_launchers
from tcworker.engine.native.left_tasks import kill_left_tasks
from tcworker.engine.native.leftovers import kill_left, kill_left_groups, sweep_groups
from tcworker.engine.native.means import Means, Showing
from tcworker.engine.native.task_user import check_way
from tcworker.engine.native.uids import REGISTER_FOLDER, TaskUids
from tcworker.engine.native.user_settings import check_programs, choose_users
from tcworker.engine.native.useradd import CannotChangeUsers
from tcworker.engine.native.users import OwnUsers
from tcworker.errors import ConfigError, Fault
from tcworker.interfaces import ICacheFolder, IEngine, IPlatform, ITaskContext, SandboxRecord
from tcworker.launcher.limits import Limits
from tcworker.process import IReactor
from tcworker.waiting import Loose, Threads, pause, whatever_happens

_THREADS = 6

_NOT_REMOVED = (
    "what was left in {place} cannot all be removed: {error}. The worker goes on, and tries again every hour. "
    "Look whether something is mounted there or made immutable (lsattr), and remove it."
)

_log = Logger()


@implementer(IPlatform)
class NativePlatform:
    """See L{IPlatform}.

    @param config: what stands in it of tasks and their users is used.
    """

    name = "native"
    schema: Mapping[str, Any] = {
        "properties": {
            "command": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                "description": "The commands, each a list of its arguments without any shell. One after the other is "
                "run in the task's folder, until one fails.",
            }
        },
        "required": ["command"],
    }

    def __init__(self, reactor: IReactor, config: Config) -> None:
        threads = Threads(reactor, _THREADS, "native")
        limits = Limits.of_megabytes(config.limits_memory_mb, config.limits_pids, config.limits_cpus)
        uids = TaskUids(REGISTER_FOLDER, *config.task_uid_range)
        own_users = OwnUsers(threads, uids, Helpers(config.state_dir))
        self._means = Means(
            reactor=reactor,
            launcher=LauncherLink(reactor, config.state_dir, limits),
            threads=threads,
            users=choose_users(config, own_users),
            own_users=own_users,
            tasks_dir=config.tasks_dir,
            private_tmp=config.private_tmp,
            clean_up=config.clean_up_task_dirs,
            first_command=config.run_after_user_creation,
            inherited=inherited(os.environ, config.inherit_env),
            showing=Showing(),
        )
        self._state_dir = config.state_dir
        self._folders = Folders(config.caches_dir, threads, "cachesDir")
        self._loose = Loose(_log)

    def accepts(self, payload: Mapping[str, Any]) -> bool:
        """See L{IPlatform.accepts}."""
        return "command" in payload and "image" not in payload

    def prepare(self, left: Sequence[SandboxRecord]) -> Deferred[None]:
        """See L{IPlatform.prepare}."""
        return Deferred.fromCoroutine(self._prepare(left))

    def sweep(self) -> Deferred[None]:
        """See L{IPlatform.sweep}."""
        return Deferred.fromCoroutine(self._sweep())

    def new_engine(self, context: ITaskContext) -> IEngine:
        """See L{IPlatform.new_engine}."""
        return NativeEngine(self._means, context)

    def new_cache_folder(self, name: str) -> Deferred[ICacheFolder]:
        """See L{IPlatform.new_cache_folder}."""
        return Deferred.fromCoroutine(self._new_cache_folder(name))

    def find_cache_folder(self, name: str, details: Mapping[str, Any]) -> Deferred[ICacheFolder | None]:
        """See L{IPlatform.find_cache_folder}."""
        found: Deferred[ICacheFolder | None] = self._folders.find(name, details)  # type: ignore[assignment]  # as said
        return found

    def sweep_cache_folders(self) -> Deferred[None]:
        """See L{IPlatform.sweep_cache_folders}."""
        return self._folders.sweep()

    def dispose(self) -> Deferred[None]:
        """See L{IPlatform.dispose}."""
        return Deferred.fromCoroutine(self._dispose())

    async def _prepare(self, left: Sequence[SandboxRecord]) -> None:
        means, owner = self._means, owner_of(self._state_dir)
        await self._try("processes", end_left_launchers, owner)
        await self._try("processes", kill_left_groups, owner)
        await self._try("processes", _kill_left_tasks, means, left)
        if os.geteuid() == 0:
            await self._try("users", means.own_users.end_left_helpers)
        for record in left:
            await self._try(str(record.details.get("folder")), _clean_up, means, record.details)
        await means.threads.run(_make_ready, means)
        await self._folders.open()
        await self._try("control groups", sweep_groups)
        await self._sweep()
        await means.launcher.when_ready()

    async def _sweep(self) -> None:
        """Remove what a dead worker left and no record names: first the users, who could still change the folders."""
        means = self._means
        if not means.clean_up:
            return
        if os.geteuid() == 0:
            await self._try("users", means.own_users.remove_left_in, means.tasks_dir)
        for folder in await means.threads.run(left_in, means.tasks_dir):
            await self._try(folder, remove_left, folder)
        await self._remove_unmarked()
        # Tasks need not wait for this: whatever it is, it was in nobody's way before.
        self._loose.run(self._remove_aside(), f"removing what was set aside in {means.tasks_dir}")

    async def _remove_unmarked(self) -> None:
        """Remove the folders of a worker that died as soon as it had made them, which is rare."""
        if found := await self._means.threads.run(unmarked_in, self._means.tasks_dir):
            # They may be those of another worker that lives.
            await pause(self._means.reactor, MARKED_WITHIN)
        for folder in found:
            await self._try(folder.path, remove_unmarked, folder)

    async def _remove_aside(self) -> None:
        for folder in await self._means.threads.run(set_aside_in, self._means.tasks_dir):
            await self._try(folder, remove_aside, folder)

    async def _try(self, place: str, work: Callable[..., None], *arguments: object) -> None:
        """Do something in a thread without which a worker can run."""
        try:
            await self._means.threads.run(work, *arguments)
        except CancelledError:
            raise
        except (OSError, CannotChangeUsers) as error:
            _log.error(_NOT_REMOVED, place=place, error=error)
        except Exception:
            _log.failure("removing what was left in {place} failed: look there and remove it", place=place)

    async def _new_cache_folder(self, name: str) -> ICacheFolder:
        folder = await self._folders.new(name)
        if os.geteuid() == 0:
            try:
                folder.owner = await self._means.threads.run(_give_to_nobody, self._means.own_users, folder.path)
            except BaseException:
                await whatever_happens(folder.delete())
                raise
        return folder

    async def _dispose(self) -> None:
        try:
            await self._loose.cancel()
            await self._means.launcher.stop()
            await self._folders.close()
        finally:
            # Threads that nobody stops would keep the process from ending.
            await self._means.threads.stop()


def _give_to_nobody(users: OwnUsers, path: str) -> tuple[int, int]:
    """Let a new folder belong to a number that nobody has, who may fill it without any other right; that number."""
    number = users.new_number()
    os.chown(path, number, number)
    return number, number


def _kill_left_tasks(means: Means, left: Sequence[SandboxRecord]) -> None:
    recorded = [record.details["folder"] for record in left if "folder" in record.details]
    # Folders that are kept have nobody in them; people who look at them may.
    unrecorded = left_in(means.tasks_dir) if means.clean_up else []
    kill_left_tasks({*recorded, *unrecorded})


def _clean_up(means: Means, details: Mapping[str, Any]) -> None:
    try:
        kill_left(details)
    finally:
        remove_left_home(means, details)


def _make_ready(means: Means) -> None:
    """Raises L{ConfigError}."""
    if not os.path.isdir(means.tasks_dir):
        os.makedirs(means.tasks_dir)
        # Whatever the worker's umask is: tasks' users pass through it.
        os.chmod(means.tasks_dir, 0o755)
    check_way(means.tasks_dir, means.users.typical)
    if means.users.own:
        check_programs()
        _check_users(means)


def _check_users(means: Means) -> None:
    """Raises L{ConfigError}."""
    try:
        folder = make_folder(means.tasks_dir, "check", 0)
    except OSError as error:
        expected = f"a folder in which folders can be made ({error.strerror})"
        raise ConfigError([Fault("tasksDir", means.tasks_dir, expected)]) from error
    try:
        means.own_users.check(folder)
    finally:
        remove_folder(folder)
