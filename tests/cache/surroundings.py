"""What tests of caches have around them: runs of one worker, that may die, with caches in memory."""

from __future__ import annotations

from typing import Any

from constantly import NamedConstant
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tcworker.cache.rows import Row
from tcworker.interfaces import ICacheFolder, IHeldCache, Say
from tcworker.testing.caches import FakeCacheFolder, FakeCaches, FakeCacheWorker

NOW = 1_800_000_000.0


def make_nothing(folder: ICacheFolder, say: Say) -> Deferred[Any]:
    return succeed(None)


def silence(line: str) -> None:
    """Say nothing."""


class CacheCase(SynchronousTestCase):
    """A worker of capacity 2."""

    capacity = 2

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.worker = FakeCacheWorker(self.clock, self.capacity)
        self.store = self.worker.store
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def assert_logged(self, text: str, level: NamedConstant = LogLevel.error) -> None:
        """A line of the log, or one with a traceback, of this level or a graver one."""
        self.flushLoggedErrors()
        lines = [formatEvent(event) for event in self.events if event["log_level"] >= level]
        self.assertTrue(any(text in line for line in lines), lines)

    def run_of(self, name: str) -> FakeCaches:
        return FakeCaches(self.worker, name)

    def take(self, name: str = "checkouts", run: str = "a/0") -> IHeldCache:
        return self.successResultOf(self.run_of(run).exclusive(name))

    def give_back(self, *held: IHeldCache) -> None:
        for each in held:
            self.clock.advance(1)
            self.successResultOf(each.give_back())

    def kept(self, name: str = "checkouts") -> IHeldCache:
        """A cache that nobody has."""
        held = self.take(name)
        self.give_back(held)
        return held

    def share(self, key: str = "key", run: str = "a/0", make: Any = make_nothing) -> Deferred[IHeldCache]:
        return self.run_of(run).shared(key, make, silence)

    def shared(self, key: str = "key", run: str = "a/0") -> IHeldCache:
        return self.successResultOf(self.share(key, run))

    def rows(self) -> list[Row]:
        return list(self.successResultOf(self.store.rows()))

    def names(self) -> list[str]:
        return [row.name for row in self.rows()]

    def restart(self) -> None:
        """The worker dies, and another one takes over what it left."""
        self.worker = FakeCacheWorker(self.clock, self.capacity, self.worker)
        self.store = self.worker.store
        self.successResultOf(self.worker.open())


def fake(held: IHeldCache) -> FakeCacheFolder:
    """The folder of a cache, as a fake."""
    folder = held.folder
    assert isinstance(folder, FakeCacheFolder)
    return folder
