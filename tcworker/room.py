"""Whether there is disk enough for another task: C{requiredDiskSpaceMegabytes}."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.config import Config
from tcworker.waiting import Executor

MEGABYTE = 2**20

LEAST_FOR_STATE = 8
"""Megabytes without which no run's state and log can be kept, whatever the configuration asks for: each task that is
claimed all the same would end as an exception."""

AGAIN = 3600.0
"""Seconds between two lines of the log about one shortage."""

_log = Logger()


@dataclass(frozen=True)
class Shortage:
    """Too little disk for another task.

    @ivar seconds: for how long there has been too little.
    """

    text: str
    seconds: float


class Room:
    """Looks after the disks of tasks and of state, by the file systems' own figures."""

    def __init__(self, clock: IReactorTime, config: Config, threads: Executor) -> None:
        self._clock = clock
        self._threads = threads
        needed = config.required_disk_space_megabytes
        self._needed = {config.tasks_dir: needed, config.state_dir: max(needed, LEAST_FOR_STATE)}
        self._since: float | None = None
        self._said = 0.0

    async def shortage(self) -> Shortage | None:
        """Look; what is found is said in the log when it is new, and rarely after that."""
        # All at once: this comes before each claim, and a thread and back takes longer than a look.
        if text := await self._threads.run(_first_lack, self._needed):
            return self._short(text)
        if self._since is not None:
            _log.info("there is disk enough again")
        self._since = None
        return None

    def _short(self, text: str) -> Shortage:
        now = self._clock.seconds()
        if self._since is None or now - self._said >= AGAIN:
            _log.warn("claiming nothing: {text}", text=text)
            self._said = now
        self._since = now if self._since is None else self._since
        return Shortage(text, now - self._since)


def _first_lack(needed: Mapping[str, int]) -> str:
    return next(filter(None, (_lack(path, megabytes) for path, megabytes in needed.items())), "")


def _lack(path: str, needed: int) -> str:
    """What lacks at a folder, in words; nothing if there is enough."""
    if not needed:
        return ""
    try:
        stat = os.statvfs(path)
    except OSError as error:
        return f"nobody knows how much is free on the disk of {path} ({error.strerror})"
    # What is kept for root alone is not for tasks.
    free = stat.f_bavail * stat.f_frsize // MEGABYTE
    if free >= needed:
        return ""
    return f"the disk of {path} has {free} MiB free, {needed - free} MiB less than the {needed} that a task needs there"
