"""A task's log while its supervisor writes it."""

from __future__ import annotations

from collections.abc import Callable

from tcworker.interfaces import ILentLog, ITaskLog


class Loan:
    """Passes the worker's own lines on to whoever writes the log at the time, in order and without loss."""

    def __init__(self, log: ITaskLog) -> None:
        self._log = log
        self._held: list[bytes] = []
        self._writer: Callable[[bytes], None] | None = None
        self.lent: ILentLog = log.lend(self._append)

    def pass_to(self, writer: Callable[[bytes], None]) -> None:
        """Have a supervisor write from now on."""
        self._writer = writer
        held, self._held = self._held, []
        for data in held:
            writer(data)

    def hold(self) -> None:
        """Keep lines back: the supervisor will not write any more."""
        self._writer = None

    def give_back(self) -> None:
        """Nobody else writes any more; what was kept back comes now. Repeatable."""
        self.lent.give_back()
        held, self._held = self._held, []
        for data in held:
            self._log.write(data)

    def _append(self, data: bytes) -> None:
        # Two writers of one file would overwrite each other.
        if self._writer is not None:
            self._writer(data)
        else:
            self._held.append(data)
