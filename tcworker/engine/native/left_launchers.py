"""Launchers and supervisors that a dead worker left. For threads: it all blocks.

They notice the worker's death, kill what they have and end; should one not, it is killed. To be called by who holds the
worker's state directory: no other worker can have it then, so that all that names it was left.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator, Set

from tcworker.launcher import main
from tcworker.launcher.proc import descendants, fields
from tcworker.launcher.server import FAREWELL
from tcworker.launcher.system import System, this_system

_OWN_TIME = FAREWELL + 1.0
"""Seconds that they have to end by themselves."""

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""

_PROGRAM = os.path.join(*main.__name__.split(".")) + ".py"


def end_left_launchers(owner: str) -> None:
    """Return when none of an owner's launchers and supervisors lives that is not this process's own.

    @param owner: see L{tcworker.launcher.main}.
    @raise OSError: some do not die.
    """
    system = this_system()
    _wait(owner, _OWN_TIME, lambda pids: None)
    _wait(owner, _PATIENCE, lambda pids: _kill_families(system, pids))
    if left := left_launchers(owner):
        raise OSError(errno.EBUSY, f"processes do not die although they were killed: {sorted(left)}")


def left_launchers(owner: str) -> Set[int]:
    """Those that live, with their supervisors."""
    found = set(_named(owner))
    # A look at all processes, which is rarely needed.
    return found - descendants(os.getpid()) if found else found


def _wait(owner: str, seconds: float, meanwhile: Callable[[Set[int]], None]) -> None:
    until = time.monotonic() + seconds
    while (left := left_launchers(owner)) and time.monotonic() < until:
        meanwhile(left)
        time.sleep(0.01)


def _kill_families(system: System, pids: Set[int]) -> None:
    # What they started first: once they are dead nobody can say any more whose it was.
    for pid in pids:
        system.kill_all(pid, ())
    for pid in pids:
        kill_one(pid)


def kill_one(pid: int) -> None:
    """SIGKILL one that may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _named(owner: str) -> Iterator[int]:
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit() and _is_of(name, owner) and (known := fields(int(name))) and known.lives:
            yield int(name)


def _is_of(pid: str, owner: str) -> bool:
    try:
        # First: what strangers run has any words in its command line, and who reads them may wait for ever.
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            return False
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return False
    return len(words) > 4 and words[3].endswith(_PROGRAM) and words[-1] == owner
