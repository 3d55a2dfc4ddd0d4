"""Limits and counters in control groups of version 1, which have a hierarchy for each kind of limit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Set

from tcworker.launcher.cgroups import kill_each, numbers, read, write
from tcworker.launcher.limits import Limits

_PERIOD = 100_000
"""Microseconds in which a group has its share of the processors."""


def limit(group: str, controllers: Set[str], limits: Limits) -> None:
    """Set those limits that are kept in this hierarchy. Raises C{OSError}."""
    if "memory" in controllers and limits.memory is not None:
        write(os.path.join(group, "memory.limit_in_bytes"), str(limits.memory))
        # It is not there where the kernel does not count swap; it may not be less than the one above.
        with contextlib.suppress(FileNotFoundError):
            write(os.path.join(group, "memory.memsw.limit_in_bytes"), str(limits.memory))
    if "pids" in controllers and limits.pids is not None:
        write(os.path.join(group, "pids.max"), str(limits.pids))
    if "cpu" in controllers and limits.cpus is not None:
        write(os.path.join(group, "cpu.cfs_period_us"), str(_PERIOD))
        write(os.path.join(group, "cpu.cfs_quota_us"), str(round(limits.cpus * _PERIOD)))


def lift_memory(group: str) -> None:
    """Limit the memory of a group no longer, should it be limited. Raises C{OSError}."""
    with contextlib.suppress(FileNotFoundError):
        write(os.path.join(group, "memory.memsw.limit_in_bytes"), "-1")
    write(os.path.join(group, "memory.limit_in_bytes"), "-1")


def memory(group: str) -> int:
    """Bytes that a group needs, without what the kernel would give up."""
    cached = numbers(os.path.join(group, "memory.stat"))
    used = int(read(os.path.join(group, "memory.usage_in_bytes")))
    return used - cached["total_active_file"] - cached["total_inactive_file"]


def exceeded(group: str, controller: str) -> int:
    """How often a group met a limit: processes that the kernel killed for it (memory) or did not let be born (pids)."""
    if controller == "memory":
        return numbers(os.path.join(group, "memory.oom_control")).get("oom_kill", 0)
    return numbers(os.path.join(group, "pids.events"))["max"] if controller == "pids" else 0


def counts_cpu(group: str) -> bool:
    """Whether L{cpu} can tell."""
    return os.path.exists(os.path.join(group, "cpuacct.usage"))


def cpu(group: str) -> float:
    """Seconds of processor time that a group ever used."""
    return int(read(os.path.join(group, "cpuacct.usage"))) / 1e9


def kills(group: str) -> bool:
    """Whether a group can be killed at once: not in this version."""
    return False


def kill(group: str) -> None:
    """Kill the processes of a group and those within but this one, should it be there."""
    kill_each(group)
