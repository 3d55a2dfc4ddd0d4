"""The control group that a supervisor and all that it starts are in."""

from __future__ import annotations

from tcworker.launcher.system import System


class Group:
    """A control group that we are in, so that whoever we start is born there, and that we leave in order to kill it.

    Entering or leaving one makes the kernel wait until every processor has noticed, 6 to 15 ms: too much to do it for
    each command.

    @ivar path: C{None} where there is none.
    """

    def __init__(self, system: System, path: str | None) -> None:
        self._system, self.path = system, path
        self._inside = False

    def enter(self) -> None:
        """Be in it; do without it if that cannot be."""
        if self.path is not None and not self._inside:
            try:
                self._system.enter_group(self.path)
            except OSError:
                self._system.remove_group(self.path)
                self.path = None
            else:
                self._inside = True

    def leave(self) -> str | None:
        """Be out of it, so that it can be killed: by its path, C{None} if there is none or we could not leave it."""
        if self.path is not None and self._inside:
            try:
                self._system.leave_group(self.path)
            # Killing it would kill us; whoever is in it is found as our descendant.
            except OSError:
                return None
            self._inside = False
        return self.path

    def remove(self) -> None:
        """Remove it, once nobody else is in it."""
        if (path := self.leave()) is not None:
            self._system.remove_group(path)
