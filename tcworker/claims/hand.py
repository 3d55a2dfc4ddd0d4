"""The runs that a worker has in hand, and what the queue is known to have decided of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.interfaces import ITaskContext
from tcworker.task.claim import Claim
from tcworker.task.resolution import CANCELED, Resolution

EARLY_SECONDS = 60.0
"""How long a decision is kept for a run that is not in hand: its claim's answer may still be on its way."""

MOST_EARLY = 1000

_log = Logger()

_Key = tuple[str, int]


class Run(Protocol):
    """A run that somebody works at."""

    @property
    def claim(self) -> Claim: ...

    @property
    def context(self) -> ITaskContext: ...

    def taken_away(self, resolution: Resolution, /) -> None:
        """The queue ended it."""


@dataclass
class _InHand:
    run: Run
    since: float
    decided: bool = False


class Hand:
    """Knows who must be told when the queue ends a run, whoever heard of it first."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._runs: dict[_Key, _InHand] = {}
        self._early: dict[_Key, tuple[float, Resolution]] = {}

    def take(self, run: Run) -> None:
        """A run has begun; it is told at once if it is known to be over."""
        key = _key(run)
        self._runs[key] = _InHand(run, self._clock.seconds())
        self._forget_early()
        early = self._early.pop(key, None)
        if early is not None:
            self._tell(self._runs[key], early[1])

    @property
    def runs(self) -> Sequence[tuple[Run, float]]:
        """Those in hand, each with when it was taken, in seconds by the clock."""
        return [(one.run, one.since) for one in self._runs.values()]

    def drop(self, run: Run) -> None:
        """A run is over, and nobody's business any more."""
        self._runs.pop(_key(run), None)

    def decided(self, task_id: str, run_id: int, resolution: Resolution) -> None:
        """The queue ended a run, which may be in hand, or come into it, or have been somebody else's. Repeatable."""
        in_hand = self._runs.get((task_id, run_id))
        if in_hand is not None:
            self._tell(in_hand, resolution)
        else:
            # Behind all that were heard before.
            self._early.pop((task_id, run_id), None)
            self._early[task_id, run_id] = self._clock.seconds(), resolution
            self._forget_early()

    def canceled(self, task_id: str) -> None:
        """Somebody cancelled a task; nothing happens if it does not run here."""
        for of_task, run_id in tuple(self._runs):
            if of_task == task_id:
                self.decided(task_id, run_id, CANCELED)

    def undecided(self, seconds: float = 0.0) -> Sequence[Run]:
        """The runs that have been in hand for so long, and of which nothing has been heard."""
        now = self._clock.seconds()
        # A clock that was set back makes nobody young.
        return [one.run for one in self._runs.values() if not one.decided and not 0 <= now - one.since < seconds]

    def _tell(self, in_hand: _InHand, resolution: Resolution) -> None:
        if not in_hand.decided:
            in_hand.decided = True
            in_hand.run.taken_away(resolution)

    def _forget_early(self) -> None:
        old = self._clock.seconds() - EARLY_SECONDS
        # In the order in which they were heard.
        while self._early and (len(self._early) > MOST_EARLY or next(iter(self._early.values()))[0] < old):
            self._early.pop(next(iter(self._early)))


def _key(run: Run) -> _Key:
    return run.claim.task_id, run.claim.run_id
