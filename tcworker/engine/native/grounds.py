"""Where a run's places are: below which folder on the disk, and at which path the run sees that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from tcworker.engine.attached import Target
from tcworker.engine.native.task_user import TaskUser, may_write
from tcworker.launcher.namespace import ON_DISK


class NoPlace(Exception):
    """A run can have nothing at a path; the text says why and what to do."""


class Spot(NamedTuple):
    """A place on the disk, and as the run sees it.

    @ivar top: on the disk, a folder whose path only the worker can change; C{parts} lead on from there.
    @ivar seen: the path of that folder for the run, and C{seen_parts} that lead to the place from there.
    """

    top: str
    parts: Sequence[str]
    seen: str
    seen_parts: Sequence[str]


class Grounds:
    """Finds the places of one run.

    @param folder: the run's.
    @param private: where its /tmp and the like are; C{None} if it has those of the machine.
    """

    def __init__(self, folder: str, private: str | None, user: TaskUser) -> None:
        self._folder, self._private, self._user = folder, private, user
        self._lent: dict[tuple[str, ...], Spot] = {}

    def find(self, target: Target) -> Spot | None:
        """Give a place; C{None} for one on the machine that is not the run's to change."""
        if not target.absolute:
            return Spot(self._folder, target.parts, self._folder, target.parts)
        for seen, top in self._tops():
            if str(target).startswith(f"{seen}/"):
                parts = str(target).removeprefix(f"{seen}/").split("/")
                return Spot(top, parts, seen, parts)
        for lent, spot in self._lent.items():
            if target.parts[: len(lent)] == lent:
                below = target.parts[len(lent) :]
                return Spot(spot.top, below, "/", [*spot.seen_parts, *below])
        return _as_it_is(target) if self._user.switch is None else None

    def is_outside(self, spot: Spot) -> bool:
        """Whether a place is the machine's, where what is put does not go with what the run has of its own."""
        tops = {top for _, top in self._tops()} | {lent.top for lent in self._lent.values()}
        return spot.top not in tops

    def lend(self, target: Target, path: str) -> Spot:
        """Have a folder of ours stand for one of the machine, which the run's user may write to. Raises L{NoPlace}."""
        real = os.path.realpath(str(target))
        try:
            entry = os.stat(real)
        except OSError as error:
            raise NoPlace(f"{target} is not a folder of this machine ({error.strerror}): make it there") from error
        if not os.path.isdir(real) or not may_write(entry, self._user):
            raise NoPlace(f"{target} is not a folder that the task's user may write to on this machine")
        self._lent[target.parts] = spot = Spot(path, (), "/", [part for part in real.split("/") if part])
        return spot

    def stand_in(self, spot: Spot, target: Target, path: str) -> Spot:
        """Have a folder of ours stand for one that L{is_outside}; what comes to lie in it lies in ours."""
        seen = [part for part in (*spot.seen.split("/"), *spot.seen_parts) if part]
        self._lent[target.parts] = ours = Spot(path, (), "/", seen)
        return ours

    def _tops(self) -> Sequence[tuple[str, str]]:
        """What the run sees as its own, each with where that is."""
        own = [(self._folder, self._folder)]
        if self._private is None:
            return own
        return own + [(seen, os.path.join(self._private, name)) for seen, name in ON_DISK.items()]


def _as_it_is(target: Target) -> Spot:
    """The place for a run that may do on this machine what we may."""
    # The place itself may be an empty folder, for which a cache is put.
    above, name = os.path.split(str(target))
    parts = [name]
    while not os.path.isdir(above):
        above, name = os.path.split(above)
        parts.insert(0, name)
    top = os.path.realpath(above)
    return Spot(top, parts, top, parts)
