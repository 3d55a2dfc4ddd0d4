"""What only Linux has: subreapers, keyrings, splice, /proc, control groups, the count of out-of-memory kills.

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

from tcworker.launcher import proc
from tcworker.launcher.cgroups import Hierarchy
from tcworker.launcher.cgroups import hierarchies as _hierarchies
from tcworker.launcher.group import Group
from tcworker.launcher.usage import Meter

if sys.platform != "linux":
    raise ImportError("this module is for Linux")

_PR_SET_CHILD_SUBREAPER = 36
_KEYCTL = {
    "x86_64": 250,
    "aarch64": 219,
    "riscv64": 219,
    "loongarch64": 219,
    "ppc64": 271,
    "ppc64le": 271,
    "s390x": 280,
}
"""The number of the system call on each machine; the C library has no name for it."""
_JOIN_SESSION_KEYRING = 1
_KILLED_SOONER = b"500"
"""oom_score_adj of tasks: when memory is out, they go before the worker."""
_KILLED_NEVER = "-1000"
_MOST_OF_PROC = 1 << 16


def become_subreaper() -> None:
    """Let orphans among the descendants of this process become its own children."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def new_keyring() -> None:
    """Have a session keyring of our own, with no keys of others in it, as far as the kernel lets us."""
    # A program of 32 bits has other numbers.
    number = _KEYCTL.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
    if number is not None:
        # Without a name it is a new one.
        ctypes.CDLL(None).syscall(number, _JOIN_SESSION_KEYRING, None)


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
    known = proc.fields(pid)
    return known.start if known is not None and known.lives else None


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
    return {pid for pid, its_parent in proc.processes() if its_parent == parent}


def signal_all(root: int, leaders: Iterable[int], number: int) -> None:
    """Send a signal to all descendants of C{root}, each once, and to none that they start because of it."""
    # Nobody who is stopped forks: whom they start when they clean up comes after the signal.
    all_of_them: set[int] = set()
    while new := proc.descendants(root) - all_of_them:
        _signal(new, signal.SIGSTOP)
        all_of_them |= new
    # One that is asked twice may take it for impatience: some end without cleaning up then.
    _signal(all_of_them, number)
    _signal(all_of_them, signal.SIGCONT)


def kill_all(root: int, leaders: Iterable[int]) -> None:
    """Kill all descendants of C{root}; to be repeated until there are none."""
    family = proc.descendants(root)
    # Nobody who is stopped forks while we kill the others.
    _signal(family, signal.SIGSTOP)
    _signal(family, signal.SIGKILL)


def hierarchies() -> list[Hierarchy]:
    """Those of control groups that we are in."""
    return _hierarchies(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"))


def new_meter(group: Group, shm: str | None) -> Meter | None:
    """What measures a run of ours from now on, see L{Meter}; C{None} where nobody can."""
    return Meter(group, shm)


def protect() -> None:
    """Let this process live however little memory there is, if we may; those it starts are L{expendable}."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(_KILLED_NEVER)


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


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
