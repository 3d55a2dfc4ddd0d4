"""The rules of caches that tasks write to, whatever runs do, and whenever a worker dies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.interfaces import IHeldCache
from tcworker.testing.caches import FakeCaches, FakeCacheWorker
from tests.cache.surroundings import NOW

CAPACITY = 2
NAMES = st.sampled_from(["checkouts", "checkouts", "checkouts", "compiler"])
NUMBERS = st.integers(0, 9)
SELDOM = st.sampled_from([False] * 5 + [True])


class Model(RuleBasedStateMachine):
    """Knows by itself what each folder is: what must be kept, what may, and what nobody may get again."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.worker = FakeCacheWorker(self.clock, CAPACITY)
        self.in_use: list[IHeldCache] = []
        self.over: list[IHeldCache] = []
        self.free: dict[str, list[Any]] = {"checkouts": [], "compiler": []}
        self.bad: list[Any] = []
        self.purged: list[Any] = []

    def done(self, deferred: Any) -> Any:
        results: list[Any] = []
        deferred.addBoth(results.append)
        assert results, "it waits for something"
        return results[0]

    def let_go(self, number: int) -> IHeldCache:
        held = self.in_use.pop(number % len(self.in_use))
        self.over.append(held)
        return held

    @rule(name=NAMES, seconds=st.integers(0, 5))
    def take(self, name: str, seconds: int) -> None:
        self.clock.advance(seconds)
        held: IHeldCache = self.done(FakeCaches(self.worker, "run/0").exclusive(name))
        assert held.folder not in [other.folder for other in self.in_use]
        assert held.folder not in self.bad
        expected = self.free[name].pop() if self.free[name] else None
        assert held.fresh == (expected is None)
        assert expected is None or held.folder is expected
        self.in_use.append(held)

    @precondition(lambda self: self.in_use)
    @rule(number=NUMBERS)
    def give_back(self, number: int) -> None:
        self.clock.advance(1)
        held = self.let_go(number)
        self.done(held.give_back())
        if held.folder in self.purged:
            self.bad.append(held.folder)
            return
        free = self.free[held.folder.name]
        free.append(held.folder)
        self.bad += free[:-CAPACITY]
        del free[:-CAPACITY]

    @precondition(lambda self: self.in_use)
    @rule(number=NUMBERS, seldom=SELDOM)
    def drop(self, number: int, seldom: bool) -> None:
        if seldom:
            held = self.let_go(number)
            self.done(held.drop("the task was killed"))
            self.bad.append(held.folder)

    @precondition(lambda self: self.over)
    @rule(number=NUMBERS)
    def say_it_again(self, number: int) -> None:
        held = self.over[number % len(self.over)]
        self.done(held.give_back())
        self.done(held.drop("late"))

    @rule(name=NAMES, seldom=SELDOM)
    def purge(self, name: str, seldom: bool) -> None:
        if seldom:
            self.done(self.worker.store.purge(name))
            self.nobody_gets_the_free_ones_of(name)
            self.purged += [held.folder for held in self.in_use if held.folder.name == name]

    @rule(name=NAMES, seldom=SELDOM)
    def throw_away(self, name: str, seldom: bool) -> None:
        if seldom:
            rows = [row for row in self.done(self.worker.store.rows()) if row.name == name]
            self.done(self.worker.store.throw_away(rows))
            self.nobody_gets_the_free_ones_of(name)

    def nobody_gets_the_free_ones_of(self, name: str) -> None:
        self.bad += self.free[name]
        self.free[name].clear()

    @rule(seldom=SELDOM)
    def die(self, seldom: bool) -> None:
        if seldom:
            self.worker = FakeCacheWorker(self.clock, CAPACITY, self.worker)
            self.done(self.worker.open())
            self.bad += [held.folder for held in self.in_use]
            self.in_use.clear()
            # Runs of a dead worker say nothing more.
            self.over.clear()

    @invariant()
    def what_is_there_is_what_should_be(self) -> None:
        there = Counter(id(folder) for folder in self.worker.home.folders.values())
        free = [folder for folders in self.free.values() for folder in folders]
        assert there == Counter(id(folder) for folder in [*free, *(held.folder for held in self.in_use)])

    @invariant()
    def what_is_remembered_is_what_is_known(self) -> None:
        assert self.done(self.worker.table.rows()) == self.done(self.worker.store.rows())


class Rules(SynchronousTestCase):
    def test_they_hold(self) -> None:
        Model.TestCase.settings = settings(
            deadline=None, max_examples=300, stateful_step_count=60, suppress_health_check=list(HealthCheck)
        )
        Model.TestCase("runTest").runTest()
