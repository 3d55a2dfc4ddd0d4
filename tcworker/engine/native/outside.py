"""What a run got in folders of the machine, where its user may do what the worker may: it goes when the run is over."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass

from tcworker.engine.native.grounds import Spot
from tcworker.engine.native.ways import InTheWay, way
from tcworker.removal import remove

Described = tuple[str, int, int]
"""For a sandbox record: a path, and the device and the number of the folder there."""


@dataclass(frozen=True)
class Outside:
    """One folder.

    @ivar path: without links.
    @ivar identity: its device and number: another one in its place is not the run's.
    """

    path: str
    identity: tuple[int, int]

    @classmethod
    def at(cls, spot: Spot) -> Outside:
        """The one that is there now. Raises C{OSError}."""
        path = os.path.join(spot.top, *spot.parts)
        entry = os.lstat(path)
        return cls(path, (entry.st_dev, entry.st_ino))

    @classmethod
    def of(cls, described: Described) -> Outside:
        """Read it from a sandbox record."""
        path, device, number = described
        return cls(path, (device, number))

    @property
    def described(self) -> Described:
        """For a sandbox record."""
        return (self.path, *self.identity)

    def remove(self) -> None:
        """Remove it, if it still is what it was, with all that is in it. Raises C{OSError}."""
        *above, name = self.path.strip("/").split("/")
        with contextlib.suppress(FileNotFoundError, InTheWay), way("/", above) as folder:
            entry = os.lstat(name, dir_fd=folder)
            if (entry.st_dev, entry.st_ino) == self.identity:
                remove(name, folder)


def remove_all(folders: Iterable[Outside]) -> None:
    """Remove each, whatever becomes of the others. Raises the first C{OSError} last. Blocks, for threads."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.callback(folder.remove)
