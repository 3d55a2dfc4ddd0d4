"""Kills what a dead worker left, and removes its control groups. For threads: it all blocks."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from tcworker.engine.native.left_launchers import kill_one
from tcworker.launcher import cgroup_v2, cgroups
from tcworker.launcher.groups import PREFIX, names_of
from tcworker.launcher.proc import descendants
from tcworker.launcher.system import System, this_system

_PATIENCE = 5.0
"""Seconds that killed processes may take to be gone."""

_BIRTH = 0.3
"""Seconds that a new supervisor may take to enter its control group."""


def kill_left(details: Mapping[str, Any]) -> None:
    """Let nothing live of a run, nor its control group be there; C{details} are those of its sandbox record.

    @raise OSError: some processes do not die.
    """
    _kill(this_system(), details["pid"], details["startTime"], details["groups"])


def kill_left_groups(owner: str) -> None:
    """Let nobody live in the control groups of an owner's launchers, but for this process's own.

    To be called when its launchers and supervisors are gone (L{tcworker.engine.native.left_launchers}), by who holds
    the owner's state directory.

    @param owner: see L{tcworker.launcher.main}.
    @raise OSError: some processes do not die.
    """
    system = this_system()
    folders = [
        folder
        for place in _places_of_groups(system)
        for folder in _groups_in(place)
        if os.path.basename(folder).startswith(names_of(owner)) and _is_left(folder)
    ]
    _kill(system, 0, "", folders)


def sweep_groups() -> None:
    """Remove the control groups of launchers that died without doing so.

    They are those in whose family (the name up to its last C{_}) nobody lives: a launcher always has a supervisor that
    waits in its group. One that starts has none for some milliseconds; so this looks twice. Should a group of a
    living one be caught nevertheless, its supervisor does without, or ends if it must keep limits.
    """
    places = _places_of_groups(this_system())
    if deserted := _deserted(places):
        time.sleep(_BIRTH)
        for folder in deserted & _deserted(places):
            cgroups.remove(folder)


def _places_of_groups(system: System) -> Sequence[str]:
    """Where the groups of this worker's launcher may be."""
    places = [hierarchy.own for hierarchy in system.hierarchies()]
    # Of a worker that had to make way for them.
    return places + [os.path.dirname(place) for place in places if os.path.basename(place) == cgroup_v2.LEAF]


def _deserted(places: Iterable[str]) -> set[str]:
    """The groups of families of which nobody lives."""
    inhabited = {folder: _is_inhabited(folder) for place in places for folder in _groups_in(place)}
    alive = {_family(folder) for folder, lives in inhabited.items() if lives}
    return {folder for folder in inhabited if _family(folder) not in alive}


def _groups_in(place: str) -> list[str]:
    try:
        return [os.path.join(place, name) for name in os.listdir(place) if name.startswith(PREFIX)]
    except OSError:
        return []


def _family(folder: str) -> str:
    return os.path.basename(folder).rpartition("_")[0]


def _is_inhabited(folder: str) -> bool:
    """Whether somebody lives in a group or within; one that cannot be read counts as such."""
    try:
        return bool(cgroups.inhabitants(folder))
    except OSError:
        return True


def _is_left(folder: str) -> bool:
    """Whether people live in a group of whom this process has started none, and all of whom it knows."""
    try:
        inhabitants: Set[int] = set(cgroups.inhabitants(folder))
    except OSError:
        return False
    # A number 0 is somebody of another container, of whom nobody here knows.
    return bool(inhabitants) and 0 not in inhabitants and not inhabitants & descendants(os.getpid())


def _kill(system: System, pid: int, start_time: str, folders: Sequence[str]) -> None:
    """Kill a supervisor and its run, unless that is another process by now: numbers are used again."""
    until = time.monotonic() + _PATIENCE
    while left := _left(system, pid, start_time, folders):
        if time.monotonic() > until:
            raise OSError(errno.EBUSY, f"processes do not die although they were killed: {', '.join(left)}")
        if system.start_time(pid) == start_time:
            _kill_family(system, pid)
        # Last, since the supervisor is in it as well: see below.
        for folder in folders:
            # Whatever version it is of.
            cgroup_v2.kill(folder)
        time.sleep(0.005)


def _kill_family(system: System, pid: int) -> None:
    # Its children first: once it is dead nobody can say any more that they were its.
    if system.children(pid):
        system.kill_all(pid, ())
    else:
        kill_one(pid)


def _left(system: System, pid: int, start_time: str, folders: Sequence[str]) -> list[str]:
    """What is left, in words."""
    # Each is tried: as far as nobody lives there they go.
    left = [f"those in {folder}" for folder in folders if not cgroups.remove(folder)]
    return [*left, str(pid)] if system.start_time(pid) == start_time else left
