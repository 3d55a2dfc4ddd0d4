"""What all native runs of a worker share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from tcworker.engine.native.launcher import LauncherLink
from tcworker.engine.native.users import OwnUsers, Users
from tcworker.process import IReactor
from tcworker.waiting import Threads


@dataclass
class Showing:
    """Whether runs can be shown folders that others read as well (L{tcworker.launcher.views}).

    @ivar possible: as far as is known; once it was refused, all is copied.
    """

    possible: bool = field(default_factory=lambda: sys.platform == "linux" and os.geteuid() == 0)


@dataclass(frozen=True)
class Means:
    """What all native runs of a worker share.

    @ivar own_users: removes users that were one run's alone, whoever made them.
    @ivar private_tmp: whether a run whose user is its alone has its own /tmp and the like, where the kernel allows it.
    @ivar clean_up: whether what is left of a run is removed.
    @ivar first_command: a program that each new user runs before its task; empty for none.
    @ivar inherited: variables of the worker's that every task gets.
    @ivar showing: what is known of the kernel.
    """

    reactor: IReactor
    launcher: LauncherLink
    threads: Threads
    users: Users
    own_users: OwnUsers
    tasks_dir: str
    private_tmp: bool
    clean_up: bool
    first_command: str
    inherited: Mapping[str, str]
    showing: Showing
