"""The folder in which the caches of tasks stay between two runs of the command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tcworker import folder_lock
from tcworker.folder_lock import FolderTaken
from tcworker.local_run.output import YELLOW, Output
from tcworker.state import StateStore
from tcworker.task.resolution import COMPLETED


def usual_folder(environ: Mapping[str, str]) -> str:
    """Where a user's caches belong, by the rules of freedesktop.org."""
    base = environ.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored.
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "tcworker")


def state_dir_in(kept: str) -> str:
    """Where, of what is kept, the worker's state directory is."""
    return os.path.join(kept, "state")


async def settle_left(reactor: Any, state_dir: str) -> None:
    """Let the worker tell nobody of runs of a command that was killed: the Taskcluster that they were of is gone.

    What is left of them on this machine is still removed. Raises L{StateDirectoryTaken} or L{StateUnusable}.
    """
    state = await StateStore.open(reactor, state_dir)
    try:
        for run in await state.runs():
            # Of these nothing is owed.
            await state.decided(run.task_id, run.run_id, COMPLETED)
            await state.reported(run.task_id, run.run_id)
    finally:
        await state.close()


class KeptFolder:
    """One that this command alone uses, for as long as it runs.

    @ivar path: absolute.
    """

    def __init__(self, path: str, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def take_or_say(cls, path: str, output: Output) -> KeptFolder | None:
        """Take a folder; where that is not to be had, say so: no task is kept from running for that."""
        try:
            return cls.take(path)
        except FolderTaken as taken:
            why = f"process {taken.pid} uses {path}"
        except OSError as error:
            why = f"{path}: {error.strerror}"
        output.say(f"Caches start empty, and are not kept: {why}", YELLOW)
        return None

    @classmethod
    def take(cls, path: str) -> KeptFolder:
        """Make a folder if need be, and take it; blocks. Raises L{FolderTaken} or C{OSError}."""
        path = os.path.abspath(path)
        os.makedirs(path, 0o700, exist_ok=True)
        return cls(path, folder_lock.take(path))

    def give_up(self) -> None:
        """Let others have it."""
        os.close(self._lock)
