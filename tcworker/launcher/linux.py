"""What only Linux has: subreapers, splice, the walk of /proc, control groups, the count of out-of-memory kills.

L{tcworker.launcher.portable} has the same functions for the rest of the world, and L{tcworker.launcher.system} chooses.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections.abc import Iterable, Iterator

if sys.platform != "linux":
    raise ImportError("this module is for Linux")

_PR_SET_CHILD_SUBREAPER = 36
_KILLED_SOONER = b"500"
"""oom_score_adj of tasks: when memory is out, they go before the worker."""
_MOST_OF_PROC = 1 << 16


def become_subreaper() -> None:
    """Let orphans among the descendants of this process become its own children."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def move(pipe: int, file: int, most: int, offset: int | None) -> int:
    """Move bytes from a pipe to a file without looking at them; see L{tcworker.launcher.sink.Move}."""
    return os.splice(pipe, file, most, offset_dst=offset)


@contextlib.contextmanager
def expendable() -> Iterator[None]:
    """While in here, be killed sooner than others when memory is out; who is started meanwhile stays so."""
    try:
        score = os.open("/proc/self/oom_score_adj", os.O_RDWR)
    except OSError:
        yield
        return
    # A command starts with ours: to write it afterwards would be too late for what it forks at once.
    before = os.pread(score, 16, 0)
    if int(before) < int(_KILLED_SOONER):
        with contextlib.suppress(OSError):
            os.pwrite(score, _KILLED_SOONER, 0)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.pwrite(score, before, 0)
        os.close(score)


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's own count; C{None} if there is none (a zombie is none)."""
    # The number alone says little: numbers are used again.
    fields = _stat(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else fields[19].decode()


def anybody_left(leaders: Iterable[int]) -> bool:
    """Whether this process has descendants beside those it started, dead ones not yet reaped included.

    Those that it started may count as well: the caller knows of them.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children(parent: int) -> set[int]:
    """The living children of a process."""
    return {pid for pid, its_parent in _processes() if its_parent == parent}


def signal_all(root: int, leaders: Iterable[int], number: int) -> None:
    """Send a signal to all descendants of C{root}, each once, and to those born meanwhile."""
    # One that is asked twice may take it for impatience: some end without cleaning up then.
    told: set[int] = set()
    while new := _descendants(root) - told:
        _signal(new, number)
        told |= new


def kill_all(root: int, leaders: Iterable[int], group: str | None) -> None:
    """Kill all descendants of C{root}; to be repeated until there are none."""
    if group is not None:
        kill_group(group)
    family = _descendants(root)
    # Nobody who is stopped forks while we kill the others.
    _signal(family, signal.SIGSTOP)
    _signal(family, signal.SIGKILL)


def new_group(name: str) -> str | None:
    """Make a control group of our own below the one we are in, C{None} where that cannot be."""
    parent = _own_group()
    if parent is None:
        return None
    path = os.path.join(parent, name)
    # Kernels before 5.14 have groups that cannot be killed: those are of no use here.
    try:
        os.mkdir(path)
        os.close(os.open(os.path.join(path, "cgroup.kill"), os.O_WRONLY))
        return path
    except OSError:
        remove_group(path)
        return None


def enter_group(group: str) -> None:
    """Move this process into a control group. Raises C{OSError}."""
    _write(os.path.join(group, "cgroup.procs"), b"0")


def leave_group(group: str) -> None:
    """Move this process out of a control group, into that above. Raises C{OSError}."""
    enter_group(os.path.dirname(group))


def kill_group(group: str) -> None:
    """Kill all processes of a control group, should it be there."""
    with contextlib.suppress(OSError):
        _write(os.path.join(group, "cgroup.kill"), b"1")


def remove_group(group: str) -> bool:
    """Remove a control group and those within, as far as nobody lives there; whether it is gone."""
    # A task of root may have made some, and only a group without others can be removed.
    for path in reversed(_groups_from(group)):
        with contextlib.suppress(OSError):
            os.rmdir(path)
    return not os.path.isdir(group)


def memory_kills() -> int:
    """How many processes of this machine the kernel ever killed for want of memory."""
    with contextlib.suppress(OSError):
        _, found, rest = os.pread(_vmstat(), _MOST_OF_PROC, 0).partition(b"\noom_kill ")
        return int(rest.partition(b"\n")[0]) if found else 0
    return 0


@functools.cache
def _vmstat() -> int:
    """Open for good: it is read for each command."""
    return os.open("/proc/vmstat", os.O_RDONLY)


def _own_group() -> str | None:
    mounts = _read("/proc/self/mounts").splitlines()
    points = [line.split()[1] for line in mounts if line.split()[2] == b"cgroup2"]
    groups = _read("/proc/self/cgroup").splitlines()
    own = [line.partition(b"::")[2] for line in groups if line.startswith(b"0::")]
    return os.fsdecode(points[0] + own[0].rstrip(b"/")) if points and own else None


def _groups_from(group: str) -> list[str]:
    """A control group and all within, each after the one it is in."""
    found = [group]
    # It grows meanwhile. A task chooses how deep they are, so nothing here may call itself.
    for path in found:
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            found.extend(entry.path for entry in entries if entry.is_dir())
    return found


def _descendants(root: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    new = children.get(root, [])
    while new:
        found.update(new)
        new = [child for pid in new for child in children.get(pid, ()) if child not in found]
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """All living processes, each with its parent."""
    # The kernel can tell the children of a process too, but only where it was built to.
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))) and fields[0] != b"Z":
            yield int(name), int(fields[1])


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the state on: what stands before may hold blanks and brackets."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _write(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)
