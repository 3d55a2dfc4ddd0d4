"""Kills and removes what a dead worker left. For threads: all of it blocks."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from tcworker.engine.native.folder import remove_folder
from tcworker.launcher.system import System, this_system

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""


def clean_up(details: Mapping[str, Any]) -> None:
    """Let nothing be left of a run; C{details} are those of its sandbox record. Raises C{OSError}."""
    system = this_system()
    _kill(system, details["pid"], details["startTime"], details["group"])
    remove_folder(details["folder"])


def _kill(system: System, pid: int, start_time: str, group: str | None) -> None:
    """Kill a supervisor and its run, unless that is another process by now: numbers are used again."""
    until = time.monotonic() + _PATIENCE
    while _left(system, pid, start_time, group) and time.monotonic() < until:
        if system.start_time(pid) == start_time:
            _kill_family(system, pid)
        # Last, since the supervisor is in it as well: see below.
        if group is not None:
            system.kill_group(group)
        time.sleep(0.005)


def _kill_family(system: System, pid: int) -> None:
    # Its children first: once it is dead nobody can say any more that they were its.
    if system.children(pid):
        system.kill_all(pid, (), None)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _left(system: System, pid: int, start_time: str, group: str | None) -> bool:
    if group is not None and not system.remove_group(group):
        return True
    return system.start_time(pid) == start_time
