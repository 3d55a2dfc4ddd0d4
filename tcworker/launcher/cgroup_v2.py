"""Limits and counters in control groups of version 2, and their end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Set

from tcworker.launcher.cgroups import kill_each, members, numbers, put, read, write
from tcworker.launcher.limits import CannotLimit, Limits

LEAF = "tcworker"
"""The group that a worker is in itself, where those of its tasks have limits; systemd: C{DelegateSubgroup=}."""

_PERIOD = 100_000
"""Microseconds in which a group has its share of the processors."""


def limit(group: str, controllers: Set[str], limits: Limits) -> None:
    """Set those limits that are kept in this hierarchy. Raises C{OSError}."""
    if "memory" in controllers and limits.memory is not None:
        write(os.path.join(group, "memory.max"), str(limits.memory))
        # It is not there where the kernel does not count swap.
        with contextlib.suppress(FileNotFoundError):
            write(os.path.join(group, "memory.swap.max"), "0")
    if "pids" in controllers and limits.pids is not None:
        write(os.path.join(group, "pids.max"), str(limits.pids))
    if "cpu" in controllers and limits.cpus is not None:
        write(os.path.join(group, "cpu.max"), f"{round(limits.cpus * _PERIOD)} {_PERIOD}")


def lift_memory(group: str) -> None:
    """Limit the memory of a group no longer, should it be limited. Raises C{OSError}."""
    write(os.path.join(group, "memory.max"), "max")


def memory(group: str) -> int:
    """Bytes that a group needs, without what the kernel would give up."""
    cached = numbers(os.path.join(group, "memory.stat"))
    used = int(read(os.path.join(group, "memory.current")))
    # What the kernel keeps of folders and names; version 1 does not tell that.
    kept = cached.get("slab_reclaimable", 0)
    return used - cached["active_file"] - cached["inactive_file"] - kept


def exceeded(group: str, controller: str) -> int:
    """How often a group met a limit: processes that the kernel killed for it (memory) or did not let be born (pids)."""
    if controller == "memory":
        return numbers(os.path.join(group, "memory.events")).get("oom_kill", 0)
    return numbers(os.path.join(group, "pids.events"))["max"] if controller == "pids" else 0


def counts_cpu(group: str) -> bool:
    """Whether L{cpu} can tell; it needs no controller."""
    return os.path.exists(os.path.join(group, "cpu.stat"))


def cpu(group: str) -> float:
    """Seconds of processor time that a group ever used."""
    return numbers(os.path.join(group, "cpu.stat"))["usage_usec"] / 1e6


def kills(group: str) -> bool:
    """Whether a group can be killed at once: not before Linux 5.14."""
    return os.access(os.path.join(group, "cgroup.kill"), os.W_OK)


def kill(group: str) -> None:
    """Kill all processes of a group and those within but this one, should it be there."""
    with contextlib.suppress(OSError):
        write(os.path.join(group, "cgroup.kill"), "1")
    # Who has lost the first of its threads survives that.
    kill_each(group)


def controllers(own: str) -> frozenset[str]:
    """What groups can limit that L{delegate} makes way for."""
    # What is handed down to a leaf says nothing: it may be that nobody has handed it down yet.
    place = os.path.dirname(own) if _is_leaf(own) else own
    try:
        return frozenset(read(os.path.join(place, "cgroup.controllers")).split())
    except OSError:
        return frozenset()


def delegate(own: str, controllers: Set[str], ours: Set[int]) -> tuple[str, str]:
    """Have controllers in groups that are made from now on. Raises L{CannotLimit}.

    A group whose processes are not all in groups within can hand no controller down to those.

    @param ours: the processes that may be moved.
    @return: where such groups can be made, and a group that is not among them.
    """
    try:
        place, outside = _make_way(own, ours)
        write(os.path.join(place, "cgroup.subtree_control"), " ".join(f"+{name}" for name in sorted(controllers)))
    except OSError as error:
        raise CannotLimit(
            f"{', '.join(sorted(controllers))} cannot be limited below {own} ({error.strerror}): only root can, or "
            f"whom it was given to (systemd: Delegate=yes and DelegateSubgroup={LEAF})"
        ) from error
    return place, outside


def _make_way(own: str, ours: Set[int]) -> tuple[str, str]:
    if _is_root(own):
        return own, own
    if _is_leaf(own):
        return os.path.dirname(own), own
    strangers = set(members(own)) - ours
    if strangers:
        raise CannotLimit(
            f"other processes than the worker's live in its control group {own} ({_some(strangers)}): start it in one "
            f"of its own (systemd: Delegate=yes and DelegateSubgroup={LEAF}; by hand: systemd-run --scope; in a "
            f"container: as its first process)"
        )
    leaf = os.path.join(own, LEAF)
    os.makedirs(leaf, exist_ok=True)
    for pid in ours:
        put(pid, leaf)
    return own, leaf


def _is_leaf(group: str) -> bool:
    return os.path.basename(group) == LEAF


def _is_root(group: str) -> bool:
    """Whether it is the machine's own, for which the rule does not hold."""
    return not os.path.exists(os.path.join(group, "cgroup.type"))


def _some(pids: Set[int]) -> str:
    shown = ", ".join(map(str, sorted(pids)[:5]))
    return f"{shown}, …" if len(pids) > 5 else shown
