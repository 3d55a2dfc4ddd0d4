"""The slots of a worker: which run has one, and which gives it up while it still publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Run = TypeVar("Run")


class Slots(Generic[Run]):
    """Slots for so many runs at a time.

    A run that only publishes what no later task can reach gives its slot up, unless as many do so already.

    @param capacity: how many slots there are.
    @param overlap: whether runs give up their slots before they are reported (C{overlapUploads}).
    @param freed: called for each slot that becomes free.
    """

    def __init__(self, capacity: int, overlap: bool, freed: Callable[[], None]) -> None:
        self._capacity = capacity
        self._overlap = overlap
        self._freed = freed
        self._taken: set[Run] = set()
        self._out_of_reach: set[Run] = set()

    @property
    def free(self) -> int:
        """How many slots have no run."""
        return self._capacity - len(self._taken)

    def take(self, run: Run) -> None:
        """Give a slot to a run."""
        self._taken.add(run)

    def out_of_reach(self, run: Run) -> None:
        """No later task can reach what this run still has to publish."""
        self._out_of_reach.add(run)
        self._free_what_may_overlap()

    def leave(self, run: Run) -> None:
        """A run has nothing to publish any more."""
        self._out_of_reach.discard(run)
        self._free(run)
        self._free_what_may_overlap()

    def _free_what_may_overlap(self) -> None:
        for run in self._out_of_reach & self._taken:
            already = len(self._out_of_reach - self._taken)
            if self._overlap and already < self._capacity:
                self._free(run)

    def _free(self, run: Run) -> None:
        if run in self._taken:
            self._taken.remove(run)
            self._freed()
