"""The folder in which the caches of tasks stay between two runs of the command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tcworker import folder_lock
from tcworker.cache.own_folder import OwnFolder
from tcworker.errors import ConfigError, StateDirectoryTaken, StateUnusable
from tcworker.folder_lock import FolderTaken
from tcworker.state import StateStore
from tcworker.task.resolution import COMPLETED
from tcworker.waiting import Executor

OWN_FOLDERS = ("caches", "downloads")
"""Folders in the state directory that a worker must have to itself, as when no setting says otherwise."""


def usual_folder(environ: Mapping[str, str]) -> str:
    """Where a user's caches belong, by the rules of freedesktop.org."""
    base = environ.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored.
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        # Of a user whom the machine does not know, in a container for example.
        base = os.path.join(home if os.path.isabs(home) else "/", ".cache")
    return os.path.join(base, "tcworker")


def state_dir_in(kept: str) -> str:
    """Where, of what is kept, the worker's state directory is."""
    return os.path.join(kept, "state")


class KeptInUse(Exception):
    """Somebody else has the folder; the text says who."""


class KeptUnusable(Exception):
    """No worker can keep anything in the folder; the text says where and why."""


class KeptFolder:
    """One that this command alone uses, for as long as it runs.

    @ivar path: absolute.
    """

    def __init__(self, path: str, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    async def make_ready(cls, reactor: Any, threads: Executor, path: str) -> KeptFolder:
        """Take a folder that a worker can use, with nothing to do for what was left there.

        Raises L{KeptInUse} or L{KeptUnusable}.
        """
        kept = cls.take(path)
        try:
            await kept._check(reactor, threads)
        except BaseException:
            kept.give_up()
            raise
        return kept

    @classmethod
    def take(cls, path: str) -> KeptFolder:
        """Make a folder if need be, and take it; blocks. Raises L{KeptInUse} or L{KeptUnusable}."""
        path = os.path.abspath(path)
        try:
            os.makedirs(path, 0o700, exist_ok=True)
            return cls(path, folder_lock.take(path))
        except FolderTaken as taken:
            raise KeptInUse(f"process {taken.pid} uses {path}") from taken
        except OSError as error:
            raise _unusable(path, error) from error

    def give_up(self) -> None:
        """Let others have it."""
        os.close(self._lock)

    async def _check(self, reactor: Any, threads: Executor) -> None:
        """Find out now what would keep the worker from starting."""
        state_dir = state_dir_in(self.path)
        try:
            await _settle_left(reactor, state_dir)
            for name in OWN_FOLDERS:
                await threads.run(_try_out, os.path.join(state_dir, name))
        except StateDirectoryTaken as taken:
            raise KeptInUse(str(taken)) from taken
        except StateUnusable as error:
            raise KeptUnusable(str(error)) from error
        except ConfigError as error:
            [fault] = error.faults
            raise KeptUnusable(f"{fault.found}: expected {fault.expected}") from error
        except OSError as error:
            raise _unusable(state_dir, error) from error


async def _settle_left(reactor: Any, state_dir: str) -> None:
    """Let the worker tell nobody of runs of a command that was killed: the Taskcluster that they were of is gone.

    What is left of them on this machine is still removed. Raises what L{StateStore.open} fails with.
    """
    state = await StateStore.open(reactor, state_dir)
    try:
        for run in await state.runs():
            # Of these nothing is owed.
            await state.decided(run.task_id, run.run_id, COMPLETED)
            await state.reported(run.task_id, run.run_id)
    finally:
        await state.close()


def _try_out(path: str) -> None:
    folder = OwnFolder(path, "")
    folder.take()
    folder.give_up()


def _unusable(path: str, error: OSError) -> KeptUnusable:
    return KeptUnusable(f"{error.filename or path}: {error.strerror}")
