"""Kills and removes what a dead worker left; folders: L{tcworker.engine.native.folder}. For threads: it all blocks."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from tcworker.engine.native.folder import remove_folder
from tcworker.engine.native.hold import held_by_another
from tcworker.launcher.system import System, this_system

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""

_BIRTH = 0.3
"""Seconds that a new supervisor may take to enter its control group."""

_GROUPS = "tcworker_"
"""How the names of control groups begin (L{tcworker.launcher.server})."""


def clean_up(details: Mapping[str, Any]) -> None:
    """Let nothing be left of a run; C{details} are those of its sandbox record. Raises C{OSError}."""
    system = this_system()
    _kill(system, details["pid"], details["startTime"], details["group"])
    # Where workers share a folder of tasks, another one may have a run of this name by now.
    if not held_by_another(details["folder"]):
        remove_folder(details["folder"])


def sweep_groups() -> None:
    """Remove the control groups of launchers that died without doing so.

    They are those in whose family (the name up to its last C{_}) nobody lives: a launcher always has a supervisor that
    waits in its group. One that starts has none for some milliseconds; so this looks twice. Should a group of a
    living one be caught nevertheless, its supervisor does without.
    """
    system = this_system()
    parent = _place_of_groups(system)
    if parent is not None and (deserted := _deserted(parent)):
        time.sleep(_BIRTH)
        for name in deserted & _deserted(parent):
            system.remove_group(os.path.join(parent, name))


def _place_of_groups(system: System) -> str | None:
    """Where the groups of this worker's launcher are."""
    group = system.new_group(f"{_GROUPS}{os.urandom(4).hex()}_0")
    if group is None:
        return None
    system.remove_group(group)
    return os.path.dirname(group)


def _deserted(parent: str) -> set[str]:
    """The groups of families of which nobody lives."""
    inhabited = {name: _is_inhabited(os.path.join(parent, name)) for name in _groups_in(parent)}
    alive = {_family(name) for name, lives in inhabited.items() if lives}
    return {name for name in inhabited if _family(name) not in alive}


def _groups_in(parent: str) -> list[str]:
    return [name for name in os.listdir(parent) if name.startswith(_GROUPS)]


def _family(name: str) -> str:
    return name.rpartition("_")[0]


def _is_inhabited(group: str) -> bool:
    """Whether somebody lives in a group or below; one that cannot be read counts as such."""
    try:
        with open(os.path.join(group, "cgroup.events")) as events:
            return "populated 0" not in events.read()
    except OSError:
        return True


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
