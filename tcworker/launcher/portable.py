"""What stands in for L{tcworker.launcher.linux} elsewhere: process groups, and nothing that they do not reach."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable

from tcworker.launcher.cgroups import Hierarchy
from tcworker.launcher.group import Group
from tcworker.launcher.sink import copy as move
from tcworker.launcher.usage import Meter

__all__ = [
    "anybody_left",
    "become_subreaper",
    "children",
    "expendable",
    "hierarchies",
    "kill_all",
    "memory_kills",
    "move",
    "new_keyring",
    "new_meter",
    "protect",
    "signal_all",
    "start_time",
]


def become_subreaper() -> None:
    """Orphans go to the first process of the machine here."""


def new_keyring() -> None:
    """The kernel keeps no keys for sessions here."""


def expendable() -> contextlib.AbstractContextManager[None]:
    """Nobody chooses whom to kill here."""
    return contextlib.nullcontext()


def start_time(pid: int) -> str | None:
    """When a process started, as ps says it; C{None} if there is none."""
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def anybody_left(leaders: Iterable[int]) -> bool:
    """Whether the process groups of some leaders have members."""
    # Without a subreaper, orphans are no children of ours.
    return any(_has_members(leader) for leader in leaders)


def children(parent: int) -> set[int]:
    """Orphans are not found here."""
    return set()


def signal_all(root: int, leaders: Iterable[int], number: int) -> None:
    """Send a signal to the process groups of some leaders."""
    for leader in leaders:
        with contextlib.suppress(OSError):
            os.killpg(leader, number)


def kill_all(root: int, leaders: Iterable[int]) -> None:
    """Kill the process groups of some leaders."""
    signal_all(root, leaders, signal.SIGKILL)


def hierarchies() -> list[Hierarchy]:
    """There are no control groups here."""
    return []


def new_meter(group: Group, shm: str | None) -> Meter | None:
    """Nobody measures here."""
    return None


def protect() -> None:
    """Nobody chooses whom to kill here."""


def memory_kills() -> int:
    """Nobody counts them here."""
    return 0


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
