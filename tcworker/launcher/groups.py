"""Where control groups of supervisors can be made, and how."""

from __future__ import annotations

import binascii
import errno
import os
from collections.abc import Iterable, Sequence, Set
from itertools import count

from tcworker.launcher import cgroup_v1, cgroup_v2
from tcworker.launcher.cgroups import Hierarchy, remove
from tcworker.launcher.group import Cell, Group
from tcworker.launcher.limits import CannotLimit, Limits

PREFIX = "tcworker_"
"""How the names of all begin."""

_OURS = 1
"""The processes that are in a group beside those of the task: the supervisor."""


def names_of(owner: str) -> str:
    """How the names of all groups of one owner's launchers begin."""
    return f"{PREFIX}{binascii.crc32(os.fsencode(owner)):08x}_"


class Groups:
    """Makes the groups of one launcher. Raises L{CannotLimit}.

    @param hierarchies: those that there are.
    @param ours: the processes that may be moved to where they are in nobody's way.
    @param owner: whose they are, see L{names_of}.
    """

    def __init__(self, hierarchies: Iterable[Hierarchy], limits: Limits, ours: Set[int], owner: str) -> None:
        self._places = find_places(list(hierarchies), limits, ours)
        self._limits = limits if limits.pids is None else limits._replace(pids=limits.pids + _OURS)
        # Others may make control groups in the same place.
        family = f"{names_of(owner)}{os.urandom(4).hex()}"
        self._names = (f"{family}_{number}" for number in count(1))

    def new(self) -> Group:
        """Make one that keeps the limits. Raises L{CannotLimit}."""
        group, name = Group(), next(self._names)
        for place in self._places:
            cell = place._replace(folder=os.path.join(place.folder, name))
            try:
                self._make(cell)
            except OSError as error:
                # A group that would only be killed is done without: its processes are found all the same.
                if cell.controllers:
                    group.remove()
                    raise _refused(cell, error) from error
            else:
                group.cells.append(cell)
        return group

    def _make(self, cell: Cell) -> None:
        os.mkdir(cell.folder)
        try:
            # One that neither limits nor can be killed is of no use.
            if not cell.controllers and not cell.version.kills(cell.folder):
                raise OSError("it cannot be killed")
            cell.version.limit(cell.folder, cell.controllers, self._limits)
        except OSError:
            remove(cell.folder)
            raise


def find_places(hierarchies: Sequence[Hierarchy], limits: Limits, ours: Set[int]) -> list[Cell]:
    """The groups in which others must be made so that they can be killed and keep limits. Raises L{CannotLimit}."""
    places, missing = [], set(limits.controllers)
    for hierarchy in hierarchies:
        kept = missing & hierarchy.controllers
        if hierarchy.version == 1 and kept:
            places.append(Cell(cgroup_v1, kept, hierarchy.own, hierarchy.own))
            missing -= kept
    unified = next((hierarchy for hierarchy in hierarchies if hierarchy.version == 2), None)
    handed_down = cgroup_v2.controllers(unified.own) if unified else frozenset()
    if missing - handed_down:
        raise CannotLimit(_without(missing - handed_down, unified))
    if unified is not None:
        place = cgroup_v2.delegate(unified.own, missing, ours) if missing else (unified.own, unified.own)
        # Though it may limit nothing: it can be killed at once. First, since the first one is asked who lives there.
        places.insert(0, Cell(cgroup_v2, missing, *place))
    return places


def _without(missing: Set[str], unified: Hierarchy | None) -> str:
    names = ", ".join(sorted(missing))
    if unified is None:
        return f"this machine has no control groups that limit {names}: mount them (cgroup2 on /sys/fs/cgroup)"
    return (
        f"{unified.own}, the control group of the worker, was not given the controller that limits {names} (systemd: "
        f"Delegate=yes in the worker's unit; in a container: a cgroup namespace of its own)"
    )


def _refused(cell: Cell, error: OSError) -> CannotLimit:
    return CannotLimit(
        f"a control group that limits {', '.join(sorted(cell.controllers))} cannot be made in "
        f"{os.path.dirname(cell.folder)} ({error.strerror}): {_what_to_do(cell, error)}"
    )


def _what_to_do(cell: Cell, error: OSError) -> str:
    if error.errno in (errno.EINVAL, errno.ERANGE):
        return "choose a value that the kernel takes"
    if cell.version is cgroup_v2:
        return f"only root can, or whom it was given to (systemd: Delegate=yes and DelegateSubgroup={cgroup_v2.LEAF})"
    return "only root can"
