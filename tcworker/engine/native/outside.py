"""What a run got in folders of the machine, where its user may do what the worker may: it goes when the run is over."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tcworker.engine.native.grounds import Spot
from tcworker.engine.native.ways import Identity, InTheWay, identity_of, way
from tcworker.removal import remove

_NOTE = "outside"
"""File in a run's scratch, a line for each thing."""


@dataclass(frozen=True)
class _Outside:
    """One thing.

    @ivar path: without links.
    @ivar identity: another one in its place is not the run's.
    """

    path: str
    identity: Identity

    def remove(self) -> None:
        """Remove it, if it still is what it was, with all that is in it. Raises C{OSError}."""
        *above, name = self.path.strip("/").split("/")
        with contextlib.suppress(FileNotFoundError, InTheWay), way("/", above) as folder:
            if identity_of(os.lstat(name, dir_fd=folder)) == self.identity:
                remove(name, folder)


class Outside:
    """All of one run. It is noted before it is there: whenever the worker dies, the next one removes it.

    @param scratch: of the run, where nobody else can write.
    """

    def __init__(self, scratch: str) -> None:
        self._note = os.path.join(scratch, _NOTE)
        self._all: list[_Outside] = []

    def add(self, spot: Spot, identity: Identity) -> None:
        """Note what is about to be in a place. Raises C{OSError}."""
        path = os.path.join(spot.top, *spot.parts)
        with open(self._note, "a") as note:
            note.write(json.dumps([path, *identity]) + "\n")
        self._all.append(_Outside(path, identity))

    def remove(self) -> None:
        """Remove what is still there. Raises C{OSError}. Blocks, for threads."""
        _remove_all(self._all)


def remove_left_outside(scratch: str) -> None:
    """Remove what a dead worker's run got there, by the run's scratch. Raises C{OSError}. Blocks, for threads."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(scratch, _NOTE)) as note:
        _remove_all(list(_read(note)))


def _read(note: Iterable[str]) -> Iterator[_Outside]:
    for line in note:
        # Who died while writing the last one had not put it there yet.
        with contextlib.suppress(ValueError):
            path, device, number = json.loads(line)
            yield _Outside(path, (device, number))


def _remove_all(things: Iterable[_Outside]) -> None:
    """Remove each, whatever becomes of the others. Raises the first C{OSError} last."""
    with contextlib.ExitStack() as stack:
        for thing in things:
            stack.callback(thing.remove)
