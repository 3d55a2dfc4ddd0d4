"""What the child gives up before it reads a byte of a stranger's."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys

from tcworker.extract.order import Owner

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWNET = 0x40000000
_FILES = 256
_MEGA = 1 << 20
_LAST_SECONDS = 5


def give_up(owner: Owner | None, megabytes: int, memory: int, seconds: float) -> None:
    """Become another user, with the limits of an extraction. Raises C{OSError}.

    @param megabytes: that a file may have.
    @param memory: MB of address space.
    @param seconds: of processor time.
    """
    # Whoever signals the worker's group means the worker, which decides.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _offer_to_the_kernel()
    os.chdir("/")
    os.umask(0)
    if owner is not None:
        _leave_network()
        os.setgroups([])
        os.setgid(owner.gid)
        os.setuid(owner.uid)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_FSIZE, megabytes * _MEGA)
    _limit(resource.RLIMIT_AS, memory * _MEGA)
    # At the second limit it would be killed as for want of memory.
    _limit(resource.RLIMIT_CPU, int(seconds) + 1, beyond=_LAST_SECONDS)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    # In this order: becoming another user takes it away.
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)


def take_turn(priority: int) -> None:
    """Have that priority (as of nice) from now on, where that is allowed."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, priority)


def begin_no_more_processes() -> None:
    """Neither processes nor threads from now on."""
    _limit(resource.RLIMIT_NPROC, 0)


def _leave_network() -> None:
    """Have a network of our own, with nothing in it, where the kernel lets us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).unshare(_CLONE_NEWNET)


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _offer_to_the_kernel() -> None:
    """Be the first to go when the machine has no memory left: worker and tasks are worth more."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _limit(kind: int, most: int, beyond: int = 0) -> None:
    _, hard = resource.getrlimit(kind)
    last = most + beyond
    if hard != resource.RLIM_INFINITY:
        most, last = min(most, hard), min(last, hard)
    # Some systems do not have all of them.
    with contextlib.suppress(ValueError):
        resource.setrlimit(kind, (most, last))
