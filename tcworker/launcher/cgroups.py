"""Control groups: the hierarchies that this process is in, and what both versions of them have in common.

A group is a folder with a file of the processes in it. What else there is know L{tcworker.launcher.cgroup_v1} and
L{tcworker.launcher.cgroup_v2}.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_PROCESSES = "cgroup.procs"
_AT_ONCE = 256
"""Processes that are held by descriptors at a time."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


class Hierarchy(NamedTuple):
    """A tree of groups, all processes of the machine being in one of them.

    @ivar version: 1 or 2.
    @ivar controllers: what is limited or counted in it; empty in version 2, of which
        L{tcworker.launcher.cgroup_v2.controllers} tells.
    @ivar own: the folder of the group that we are in.
    """

    version: int
    controllers: frozenset[str]
    own: str


def hierarchies(mounts: str, groups: str) -> list[Hierarchy]:
    """Read them from C{/proc/self/mountinfo} and C{/proc/self/cgroup}; those that are not to be seen are left out."""
    found: dict[str, Hierarchy] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ")[:3]
        root, point = (unescape(field) for field in before.split(" ")[3:5])
        for names, path in _own_groups(groups):
            # One may be mounted twice.
            if names not in found and _is_of(kind, options, names) and (place := _below(point, root, path)):
                found[names] = Hierarchy(1 if names else 2, frozenset(filter(None, names.split(","))), place)
    return list(found.values())


def members(group: str) -> list[int]:
    """The processes in a group, not those in groups within. Raises C{OSError}."""
    return [int(line) for line in read(os.path.join(group, _PROCESSES)).split()]


def enter(group: str) -> None:
    """Move this process into a group. Raises C{OSError}."""
    put(0, group)


def put(pid: int, group: str) -> None:
    """Move a process into a group; 0 is this one. Raises C{OSError}."""
    write(os.path.join(group, _PROCESSES), str(pid))


def family(group: str) -> list[str]:
    """A group and all within, each after the one it is in."""
    found = [group]
    # It grows meanwhile. A task chooses how deep they are, so nothing here may call itself.
    for path in found:
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            found.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    return found


def inhabitants(group: str) -> list[int]:
    """The processes in a group or within. Raises C{OSError} if the group itself cannot be read."""
    own, *inner = family(group)
    found = members(own)
    for path in inner:
        # A task of root may be about to remove it, or have made one that does not tell.
        with contextlib.suppress(OSError):
            found += members(path)
    return found


def kill_each(group: str) -> None:
    """Kill the processes in a group and within, one after the other, but not this one."""
    with contextlib.suppress(OSError):
        # A number 0 is somebody of whom this place knows nothing; for a signal it would mean us.
        pids = [pid for pid in inhabitants(group) if pid not in (0, os.getpid())]
        for begin in range(0, len(pids), _AT_ONCE):
            _kill_some(group, pids[begin : begin + _AT_ONCE])


def _kill_some(group: str, pids: Iterable[int]) -> None:
    with contextlib.ExitStack() as stack:
        opened = {pid: _hold(stack, pid) for pid in pids}
        # Numbers are used again, descriptors are not: who has the number now is in here, or is not who was opened.
        for pid in opened.keys() & set(inhabitants(group)):
            descriptor = opened[pid]
            with contextlib.suppress(OSError):
                if descriptor is None:
                    os.kill(pid, signal.SIGKILL)
                else:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _hold(stack: contextlib.ExitStack, pid: int) -> int | None:
    """A descriptor that means a process for good; C{None} before Linux 5.3, and for one that is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    stack.callback(os.close, descriptor)
    return descriptor


def remove(group: str) -> bool:
    """Remove a group and those within, as far as nobody lives there; whether it is gone."""
    # A task of root may have made some, and only a group without others can be removed.
    for path in reversed(family(group)):
        with contextlib.suppress(OSError):
            os.rmdir(path)
    return not os.path.isdir(group)


def read(path: str) -> str:
    """What a file of a group says. Raises C{OSError}."""
    with open(path, "rb", buffering=0) as file:
        return file.readall().decode()


def write(path: str, value: str) -> None:
    """Write to a file of a group. Raises C{OSError}."""
    # Not made where there is none, as open() would: it may be a folder of no group.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def numbers(path: str) -> dict[str, int]:
    """The lines C{name number} of a file. Raises C{OSError}."""
    return {name: int(value) for name, _, value in (line.partition(" ") for line in read(path).splitlines())}


def _own_groups(groups: str) -> Iterator[tuple[str, str]]:
    """The names of each hierarchy's controllers (none in version 2), and our group in it."""
    for line in groups.splitlines():
        _, names, path = line.split(":", 2)
        yield names, path


def _is_of(kind: str, options: str, names: str) -> bool:
    """Whether a mount is one of a hierarchy."""
    if not names:
        return kind == "cgroup2"
    return kind == "cgroup" and set(names.split(",")) <= set(options.split(","))


def _below(point: str, root: str, path: str) -> str | None:
    """Where a group is to be seen, if it is below the one that is mounted."""
    root = root.rstrip("/")
    if path.startswith("/..") or (path != root and not path.startswith(f"{root}/")):
        return None
    return (point + path[len(root) :]).rstrip("/")


def unescape(field: str) -> str:
    """A path as it is, of how the kernel writes it into its lists of mounts."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), field)
