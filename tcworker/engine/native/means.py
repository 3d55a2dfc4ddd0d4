"""What all native runs of a worker share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tcworker.engine.native.account import TaskUser
from tcworker.engine.native.launcher import LauncherLink
from tcworker.process import IReactor
from tcworker.waiting import Threads


@dataclass(frozen=True)
class Means:
    """What all native runs of a worker share.

    @ivar inherited: variables of the worker's that every task gets.
    """

    reactor: IReactor
    launcher: LauncherLink
    threads: Threads
    user: TaskUser
    tasks_dir: str
    inherited: Mapping[str, str]
