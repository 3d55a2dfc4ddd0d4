"""Sees to it that nothing lives of the runs of supervisors that died before their time, as far as it can die."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence, Set

from tcworker.launcher.cgroups import inhabitants
from tcworker.launcher.group import Group
from tcworker.launcher.system import System
from tcworker.launcher.wire import Port

PATIENCE = 3.0
"""Seconds that processes may take to die of SIGKILL."""


class Employed:
    """A supervisor process.

    @ivar key: of the run that it has, C{None} while it waits for one.
    @ivar until: when we give up waiting for its end, or that of those whom it left.
    """

    def __init__(self, pid: int, port: Port, group: Group) -> None:
        self.pid, self.port, self.group = pid, port, group
        self.key: int | None = None
        self.until = math.inf
        self._before: Mapping[str, int] = {}

    def begin(self, key: int) -> None:
        """It has a run from now on."""
        self.key, self._before = key, self.group.exceeded()

    def exceeded(self) -> list[str]:
        """The limits that its run met; none if it has none."""
        if self.key is None:
            return []
        return [name for name, count in self.group.exceeded().items() if count > self._before[name]]


class Undertaker:
    """Kills supervisors and what they leave, and waits for nobody in particular: some do not die, whatever we do.

    @param employed: those who live, by their numbers; whom we give up is taken out.
    @param over: called with one whose run is over by that, the limits that the run met, and who does not die.
    """

    def __init__(
        self,
        system: System,
        employed: dict[int, Employed],
        over: Callable[[Employed, Sequence[str], Set[int]], None],
    ) -> None:
        self._system, self._employed, self._over = system, employed, over
        self._ending: list[Employed] = []
        self._undying: set[int] = set()
        self._haunted: list[Group] = []

    @property
    def busy(self) -> bool:
        """Whether L{look} has to be called again soon."""
        return bool(self._ending)

    def expects(self, employed: Employed) -> bool:
        """Whether one was killed, or has died and is not done with."""
        return employed in self._ending

    def kill(self, employed: Employed) -> None:
        """Let a supervisor die, and then what it leaves."""
        if not self.expects(employed):
            os.kill(employed.pid, signal.SIGKILL)
            self._must_end(employed)

    def died(self, employed: Employed) -> None:
        """A supervisor was buried."""
        if employed.key is not None:
            # At once, before those in it can fork: a walk takes its time.
            employed.group.kill()
            self._must_end(employed)
            return
        # One that waited left nobody, and looking for strays costs a walk through all processes.
        employed.group.remove()
        if self.expects(employed):
            self._ending.remove(employed)

    def stray_died(self, pid: int) -> None:
        """Somebody else was buried."""
        if pid not in self._undying:
            return
        # Whom we had given up may have left others.
        self._undying.remove(pid)
        self._kill_strays()
        for group in self._haunted:
            group.remove()
        if not self._undying:
            self._haunted.clear()

    def look(self) -> None:
        """Kill whom dead supervisors left, and tell of the runs of which nothing lives, or that we give up."""
        if not self._ending:
            return
        strays, now = self._kill_strays(), time.monotonic()
        for employed in self._ending.copy():
            lives = self._employed.get(employed.pid) is employed
            if now >= employed.until and lives:
                # Who comes from it is no stray yet.
                self._system.kill_all(employed.pid, ())
                self._give_up(employed, {employed.pid})
            elif now >= employed.until:
                self._give_up(employed, _left_by(employed, strays))
            elif not lives and not strays:
                self._finish(employed, frozenset())

    def _must_end(self, employed: Employed) -> None:
        employed.until = time.monotonic() + PATIENCE
        if not self.expects(employed):
            self._ending.append(employed)

    def _kill_strays(self) -> set[int]:
        """Kill those of our children that are no supervisors, with all that is theirs; who they were."""
        strays = self._system.children(os.getpid()) - self._employed.keys() - self._undying
        for employed in self._ending if strays else ():
            employed.group.kill()
        for stray in strays:
            self._system.kill_all(stray, ())
            with contextlib.suppress(OSError):
                os.kill(stray, signal.SIGKILL)
        return strays

    def _give_up(self, employed: Employed, left: Set[int]) -> None:
        self._undying |= left
        self._employed.pop(employed.pid, None)
        self._haunted.append(employed.group)
        self._finish(employed, left)

    def _finish(self, employed: Employed, left: Set[int]) -> None:
        self._ending.remove(employed)
        exceeded = employed.exceeded()
        employed.group.remove()
        self._over(employed, exceeded, left)


def _left_by(employed: Employed, strays: set[int]) -> set[int]:
    """Those of some strays that one left, as far as its control group tells."""
    with contextlib.suppress(OSError):
        for folder in employed.group.folders:
            return strays & set(inhabitants(folder))
    return strays
