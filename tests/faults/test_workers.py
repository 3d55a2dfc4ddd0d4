"""A worker is killed when it is to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.faults import workers
from tests.faults.fates import Call
from tests.faults.workers import Killer

CALL = Call("GET", "/api/x")


class Worker:
    """Notes when it is killed, and lives on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.starts = False
        self.kills: list[float] = []

    def kill(self, *, launcher: bool) -> bool:
        if not self.starts:
            self.kills.append(self._clock.seconds())
        return not self.starts


class Kills(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.patch(workers, "reactor", self.clock)
        self.worker = Worker(self.clock)

    def killer(self, times: float, **between: tuple[float, float]) -> Killer:
        return Killer(cast(Any, self.worker), "a seed", times, **cast(Any, between))

    def kills(self, killer: Killer, calls: int, every: float) -> Sequence[float]:
        """When it was killed while it made so many calls."""
        for _ in range(calls):
            killer.saw(CALL)
            self.clock.advance(every)
        return self.worker.kills

    def test_after_so_many_calls(self) -> None:
        self.assertEqual(len(self.kills(self.killer(1, calls=(10, 10)), 9, 1)), 0)
        self.assertEqual(len(self.kills(self.killer(1, calls=(10, 10)), 10, 1)), 1)

    def test_as_often_as_it_is_to_be_and_then_no_more(self) -> None:
        self.assertEqual(len(self.kills(self.killer(3, calls=(10, 20)), 100, 3)), 3)

    def test_after_some_seconds_and_of_some_after_many(self) -> None:
        kills = self.kills(self.killer(math.inf, seconds=(3, 9)), 1000, 1)
        lives = [later - earlier for earlier, later in pairwise(kills)]
        few, many = ([life for life in lives if (life > 12) is long] for long in (False, True))
        self.assertTrue(len(few) > 4 * len(many) > 0, lives)

    def test_once_more_while_the_next_one_starts(self) -> None:
        kills = self.kills(self.killer(math.inf, calls=(100, 100)), 2000, 0.1)
        self.assertTrue(any(later - earlier < 2.2 for earlier, later in pairwise(kills)), kills)

    def test_one_that_is_still_to_be_started_is_killed_then(self) -> None:
        killer = self.killer(1, calls=(10, 10))
        self.worker.starts = True
        self.assertEqual(len(self.kills(killer, 20, 0.1)), 0)
        self.worker.starts = False
        self.clock.advance(0.1)
        self.assertEqual(len(self.worker.kills), 1)

    def test_not_when_it_was_told_to_stop(self) -> None:
        killer = self.killer(math.inf, seconds=(3, 9))
        killer.saw(CALL)
        killer.stop()
        killer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.kills(killer, 100, 1)), 0)
