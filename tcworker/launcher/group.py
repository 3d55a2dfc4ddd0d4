"""The control group that a supervisor and all that it starts are in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple, Protocol

from tcworker.launcher.cgroups import enter, remove
from tcworker.launcher.limits import Limits


class Version(Protocol):
    """What L{tcworker.launcher.cgroup_v1} and L{tcworker.launcher.cgroup_v2} have in common; the texts stand there."""

    def limit(self, group: str, controllers: Set[str], limits: Limits) -> None: ...
    def lift_memory(self, group: str) -> None: ...
    def memory(self, group: str) -> int: ...
    def exceeded(self, group: str, controller: str) -> int: ...
    def counts_cpu(self, group: str) -> bool: ...
    def cpu(self, group: str) -> float: ...
    def kills(self, group: str) -> bool: ...
    def kill(self, group: str) -> None: ...


class Cell(NamedTuple):
    """What a group is in one hierarchy: a folder.

    @ivar controllers: those that limit the group here, or those within.
    @ivar outside: the folder of the group to which whoever leaves goes.
    """

    version: Version
    controllers: Set[str]
    folder: str
    outside: str


class Group:
    """A control group that we are in, so that whoever we start is born there, and that we leave in order to kill it.

    Entering or leaving one makes the kernel wait until every processor has noticed, 6 to 15 ms: too much to do it for
    each command.

    @ivar cells: one in each hierarchy that is used; none where there are no groups.
    """

    def __init__(self, cells: Iterable[Cell] = ()) -> None:
        self.cells = list(cells)
        self._inside: set[str] = set()

    @property
    def folders(self) -> list[str]:
        """All folders."""
        return [cell.folder for cell in self.cells]

    def enter(self) -> None:
        """Be in it; do without where that cannot be, unless it limits us there. Raises C{OSError}."""
        for cell in self.cells.copy():
            if cell.folder not in self._inside:
                self._enter(cell)

    def kill(self) -> None:
        """Leave it where it can be killed at once, and kill who is in it."""
        if (cell := self._killable) is None:
            return
        # Should that fail, killing it would kill us; whoever is in it is found as our descendant.
        with contextlib.suppress(OSError):
            self._leave(cell)
            cell.version.kill(cell.folder)

    def remove(self) -> None:
        """Remove it, once nobody else is in it."""
        for cell in self.cells:
            with contextlib.suppress(OSError):
                self._leave(cell)
            remove(cell.folder)

    @property
    def limits_memory(self) -> bool:
        """Whether the kernel kills who needs too much."""
        return any("memory" in cell.controllers for cell in self.cells)

    def memory(self) -> int:
        """Bytes that it needs, if that is limited."""
        return sum(cell.version.memory(cell.folder) for cell in self.cells if "memory" in cell.controllers)

    def lift_memory(self) -> None:
        """Limit it no longer."""
        for cell in self.cells:
            if "memory" in cell.controllers:
                cell.version.lift_memory(cell.folder)

    def exceeded(self) -> Mapping[str, int]:
        """How often it met each limit, since it is there."""
        return {
            controller: cell.version.exceeded(cell.folder, controller)
            for cell in self.cells
            for controller in cell.controllers
        }

    @property
    def _killable(self) -> Cell | None:
        return next((cell for cell in self.cells if cell.version.kills(cell.folder)), None)

    def _enter(self, cell: Cell) -> None:
        try:
            enter(cell.folder)
        except OSError:
            if cell.controllers:
                raise
            remove(cell.folder)
            self.cells.remove(cell)
        else:
            self._inside.add(cell.folder)

    def _leave(self, cell: Cell) -> None:
        if cell.folder in self._inside:
            enter(cell.outside)
            self._inside.discard(cell.folder)
