"""Holds a worker back whose runs end as internal errors one after the other: it may spoil every task it takes."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.interfaces import Exit, ProcessStatus
from tcworker.retry import Backoff
from tcworker.task.resolution import COMPLETED, FAILED, Resolution

IN_A_ROW = 3
"""Internal errors after which a worker claims less."""

PAUSES = Backoff(first=30.0, most=600.0)

INTERNAL_ERROR = Resolution("exception", "internal-error")

RAN_WELL = frozenset({COMPLETED, FAILED, Resolution("exception", "intermittent-task")})
"""How runs end whose commands the worker has run; any other end says nothing about it."""

_log = Logger()


class InternalErrors:
    """Counts internal errors in a row, and says when the worker may claim again: for one task, after a pause.

    @param most: how many end the worker (C{maxInternalErrors}), 0 for any number.
    """

    def __init__(self, clock: IReactorTime, most: int) -> None:
        self._clock = clock
        self._most = most
        self._in_a_row = 0
        self._delays: Iterator[float] = PAUSES.delays()
        self._delay = self._since = 0.0
        self._tried = False

    def began(self) -> None:
        """A run begins."""
        if self._in_a_row >= IN_A_ROW:
            # How it ends is waited for, as far as that goes.
            self._tried = True
            self._since = self._clock.seconds()

    def ended(self, resolution: Resolution) -> None:
        """A run, or what should have become one, has ended."""
        if resolution == INTERNAL_ERROR:
            self._in_a_row += 1
            # Those that ran side by side may have had one cause.
            if self._in_a_row == IN_A_ROW or self._tried:
                self._pause()
        elif resolution in RAN_WELL and self._in_a_row:
            if self._in_a_row >= IN_A_ROW:
                _log.info("a run went well after {count} internal errors in a row", count=self._in_a_row)
            self._in_a_row, self._tried = 0, False
            self._delays, self._delay = PAUSES.delays(), 0.0

    def _pause(self) -> None:
        self._tried = False
        self._delay, self._since = next(self._delays), self._clock.seconds()

    def why_held(self) -> str:
        """Why nothing is to be claimed for now; nothing if it may."""
        # A clock that was set back ends it early.
        if not 0 <= self._clock.seconds() - self._since < self._delay:
            return ""
        return (
            f"the last {self._in_a_row} runs were internal errors, and one more is tried in {self._delay:.0f} s at the"
            " latest: look for incidents in this log"
        )

    def claimable(self, free: int) -> int:
        """For how many of the free slots tasks may be claimed: while it is suspect, each time for one."""
        return min(free, 1) if self._in_a_row >= IN_A_ROW else free

    def exit(self) -> Exit | None:
        """Why the worker must go, if it must (contracts of generic-worker, 6)."""
        if not self._most or self._in_a_row < self._most:
            return None
        why = f"{self._in_a_row} internal errors in a row, and maxInternalErrors is {self._most}"
        return Exit(ProcessStatus.INTERNAL_ERROR, f"{why}: look for incidents in this log")
