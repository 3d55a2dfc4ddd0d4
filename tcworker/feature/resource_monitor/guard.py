"""Ends the task that uses most memory before the machine has none left (contracts of generic-worker, 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tcworker.feature.resource_monitor.sizes import in_units
from tcworker.interfaces import Unsubscribe
from tcworker.watch.memory import Memory

CHECK_EVERY = 1.0


class GuardedRun(Protocol):
    """A run as the guard sees it.

    @ivar memory: bytes that it used when last measured, C{None} if nobody knows.
    """

    @property
    def memory(self) -> int | None: ...

    def measure(self) -> None:
        """Find out what it uses now."""

    def end(self, why: str) -> None:
        """End it as failed, with what it made; called once."""

    def warn(self, why: str) -> None:
        """Say in its log that it would be ended; called once."""


@dataclass(frozen=True)
class MemoryThreshold:
    """When the machine has too little memory: both are passed, for longer than so many seconds.

    @ivar percent: of the machine's memory in use.
    @ivar available: bytes that must be left.
    @ivar only_warn: whether tasks go on then.
    """

    percent: float
    available: int
    seconds: float
    only_warn: bool = False

    def passed(self, memory: Memory) -> bool:
        """Whether both are."""
        return memory.used_percent > self.percent and memory.available < self.available


class MemoryGuard:
    """Watches the machine's memory while tasks run.

    Of all of a worker's runs it ends one, the one that uses most, and another one only if that was not enough.

    @param read: answers C{None} where nobody knows; then nothing is watched.
    """

    def __init__(self, clock: IReactorTime, threshold: MemoryThreshold, read: Callable[[], Memory | None]) -> None:
        self._clock = clock
        self._threshold = threshold
        self._read = read
        self._runs: list[GuardedRun] = []
        self._told: list[GuardedRun] = []
        self._timer: IDelayedCall | None = None
        self._lasted: float | None = None

    def watch(self, run: GuardedRun) -> Unsubscribe:
        """Take care of a run too, until it is over."""
        self._runs.append(run)
        if self._timer is None:
            self._timer = self._clock.callLater(CHECK_EVERY, self._check)
        return lambda: self._forget(run)

    def _forget(self, run: GuardedRun) -> None:
        if run not in self._runs:
            return
        self._runs.remove(run)
        if run in self._told:
            self._told.remove(run)
            # Only now its memory is free again: whether that is enough, the next seconds tell.
            self._lasted = None
        if not self._runs and self._timer is not None:
            self._timer.cancel()
            self._timer = self._lasted = None

    def _check(self) -> None:
        self._timer = self._clock.callLater(CHECK_EVERY, self._check)
        memory = self._read()
        if memory is None or not self._threshold.passed(memory):
            self._lasted = None
            return
        # By the number of checks: a clock that is set forward must not end a task.
        self._lasted = 0.0 if self._lasted is None else self._lasted + CHECK_EVERY
        if self._lasted > self._threshold.seconds:
            self._act(memory)
        # For the next check, whose choice is then of what is in use and not of what was some seconds ago.
        for run in list(self._runs):
            run.measure()

    def _act(self, memory: Memory) -> None:
        if self._threshold.only_warn:
            self._warn(memory)
        # One after the other: the first may still be busy with its end.
        elif not self._told:
            self._end(memory)

    def _warn(self, memory: Memory) -> None:
        largest = self._largest(self._runs)
        if largest not in self._told:
            self._told.append(largest)
            largest.warn(f"{self._describe(memory, largest)}; it goes on, for disableOOMProtection is set")

    def _end(self, memory: Memory) -> None:
        largest = self._largest(self._runs)
        self._told.append(largest)
        largest.end(f"task aborted - {self._describe(memory, largest)}")

    def _largest(self, runs: list[GuardedRun]) -> GuardedRun:
        return max(runs, key=lambda run: run.memory or 0)

    def _describe(self, memory: Memory, run: GuardedRun) -> str:
        uses = "an unknown part" if run.memory is None else in_units(run.memory)
        most = self._threshold
        return (
            f"the machine is out of memory: for more than {most.seconds:g} seconds over {most.percent:g} % of its "
            f"{in_units(memory.total)} were in use and less than {in_units(most.available)} left, now "
            f"{in_units(memory.available)}; this task uses {uses}, the most of those that run here"
        )
