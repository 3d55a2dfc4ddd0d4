"""Whether this process may have as many files open, and as many processes, as a worker of its capacity needs."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tcworker.config import Config
from tcworker.errors import ConfigError, Fault
from tcworker.launcher.system import this_system

FILES, FILES_EACH = 64, 12
"""Open files that a worker needs at the most, and for each task that runs or is published (docs/embedding.md)."""

PROCESSES, PROCESSES_EACH = 40, 4
"""The same of processes, which the kernel counts together with threads; the fewest are a task's own."""

MOST_CAPACITY = 255

FILES_AT_START, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
"""The soft limit that this process was given; that of tasks (L{allow_files} comes later)."""


def check_process_limits(config: Config) -> None:
    """Raise L{ConfigError} if the limits of this process are too low for the capacity."""
    tasks = config.capacity * (2 if config.overlap_uploads else 1)
    files = _Need("open files", FILES + FILES_EACH * tasks, "LimitNOFILE", "ulimit -n")
    processes = _Need("processes", PROCESSES + PROCESSES_EACH * config.capacity, "TasksMax", "ulimit -u")
    limits = ((files, most_files()), (processes, most_processes()))
    if faults := [need.fault(config.capacity, most) for need, most in limits if most is not None and most < need.least]:
        raise ConfigError(faults)


@dataclass(frozen=True)
class _Need:
    """What a worker needs so many of.

    @ivar setting: what sets their limit in a unit of systemd, C{command} in a shell.
    """

    what: str
    least: int
    setting: str
    command: str

    def fault(self, capacity: int, most: int) -> Fault:
        found = f"{capacity}, for which it takes {self.least} {self.what}, and this process may have {most}"
        where = f"in the worker's unit {self.setting}={self.least}, in a shell {self.command} {self.least}"
        return Fault("capacity", found, f"a smaller number, or a higher limit ({where})")


def allow_files() -> None:
    """Let this process have as many files open as the largest capacity needs, as far as it may allow that itself.

    Tasks may have L{FILES_AT_START} as before.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES + FILES_EACH * 2 * MOST_CAPACITY
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def most_files() -> int | None:
    """How many files this process may have open; C{None} for any number."""
    return _soft(resource.RLIMIT_NOFILE)


def most_processes() -> int | None:
    """How many processes and threads this one and its children may be together; C{None} for any number."""
    # The kernel does not count those of root.
    own = [] if os.geteuid() == 0 else [_soft(resource.RLIMIT_NPROC)]
    limits = [most for most in [*own, *_of_groups()] if most is not None]
    return min(limits, default=None)


def _soft(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft


def _of_groups() -> Iterator[int | None]:
    for hierarchy in this_system().hierarchies():
        if hierarchy.version == 2 or "pids" in hierarchy.controllers:
            yield from (_most_in(folder) for folder in _with_parents(hierarchy.own))


def _with_parents(folder: str) -> Sequence[str]:
    """A control group and those that it is in; further folders hold no limit."""
    found = [folder]
    while os.path.exists(os.path.join(os.path.dirname(found[-1]), "cgroup.procs")):
        found.append(os.path.dirname(found[-1]))
    return found


def _most_in(group: str) -> int | None:
    try:
        with open(os.path.join(group, "pids.max")) as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
