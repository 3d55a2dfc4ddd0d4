"""Caches in memory: folders, places for them, a table of them, and what a run may have."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from tcworker.cache.homes import Home
from tcworker.cache.rows import DOWNLOADS, Row
from tcworker.cache.store import CacheStore
from tcworker.client.server_time import ServerTime
from tcworker.interfaces import ICacheFolder, ICaches, IHeldCache, Make, RoomMade, Say
from tcworker.testing.files import Files

PLATFORM = "fake"

T = TypeVar("T")


@implementer(ICacheFolder)
class FakeCacheFolder:
    """A folder in memory.

    @ivar files: what is in it.
    @ivar deleted: whether L{delete} was called.
    @ivar measured: what L{measure} finds.
    """

    path: str | None = None
    owner: tuple[int, int] | None = None

    def __init__(self, home: MemoryHome, name: str, details: dict[str, Any]) -> None:
        self._home = home
        self.name = name
        self.details = details
        self.files = Files()
        self.size = self.measured = 0
        self.deleted = False

    def is_there(self) -> Deferred[bool]:
        """See L{ICacheFolder.is_there}."""
        return self._home.answer(self.details["number"] in self._home.folders)

    def measure(self) -> Deferred[int]:
        """See L{ICacheFolder.measure}."""
        self.size = self.measured
        return succeed(self.size)

    async def archive(self) -> AsyncIterator[bytes]:
        """See L{ICacheFolder.archive}."""
        yield self.files.tar()

    def delete(self) -> Deferred[None]:
        """See L{ICacheFolder.delete}."""
        self.deleted = True
        self._home.folders.pop(self.details["number"], None)
        return succeed(None)


class Obstacle:
    """Lets answers wait, or be errors.

    @ivar hold: whether answers wait until L{release}.
    @ivar problem: what is answered in the place of all else.
    """

    def __init__(self) -> None:
        self.hold = False
        self.problem: Exception | None = None
        self._waiting: list[Deferred[None]] = []

    def release(self) -> None:
        """Give the answers that wait, and let no more wait."""
        self.hold = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def answer(self, result: T) -> Deferred[T]:
        """Give something, when and if it may be given."""
        if self.problem is not None:
            return fail(self.problem)
        if not self.hold:
            return succeed(result)
        self._waiting.append(Deferred())
        return self._waiting[-1].addCallback(lambda _: result)


class MemoryHome(Obstacle):
    """Where such folders are.

    @ivar folders: those that nobody deleted, by their numbers.
    @param left: the home of a worker that is no more, whose folders these are.
    """

    def __init__(self, left: MemoryHome | None = None) -> None:
        super().__init__()
        self._numbers: Iterator[int] = left._numbers if left else count(1)
        self._known: set[int] = set()
        self.folders: dict[int, FakeCacheFolder] = left.folders if left else {}

    def new(self, name: str) -> Deferred[ICacheFolder]:
        """See L{tcworker.interfaces.IPlatform.new_cache_folder}."""
        number = next(self._numbers)
        folder = FakeCacheFolder(self, name, {"number": number})
        if self.problem is None:
            self.folders[number] = folder
            self._known.add(number)
        return self.answer(folder)

    def find(self, name: str, details: Mapping[str, Any]) -> Deferred[ICacheFolder | None]:
        """See L{tcworker.interfaces.IPlatform.find_cache_folder}."""
        self._known.add(details["number"])
        return succeed(self.folders.get(details["number"]))

    def sweep(self) -> Deferred[None]:
        """See L{tcworker.interfaces.IPlatform.sweep_cache_folders}."""
        for number in self.folders.keys() - self._known if self.problem is None else ():
            del self.folders[number]
        return self.answer(None)

    def forget_all(self) -> None:
        """Know none of them any more, as those that a dead worker was making."""
        self._known.clear()

    def as_home(self, name: str) -> Home:
        """The same for a store of caches, under the name of a platform."""
        return Home(name, self.new, self.find, self.sweep)


class MemoryTable(Obstacle):
    """A table that forgets everything with the test.

    @ivar kept: the rows that are remembered, by their ids.
    @ivar writes: how many changes were made.
    @ivar went_down: whether the machine did, under the last worker.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int, Row] = {}
        self.writes = 0
        self.went_down = False

    def keep(self, row: Row) -> Deferred[None]:
        """See L{tcworker.cache.table.CacheTable.keep}."""
        # Raises what the real one does.
        json.dumps([dict(row.details), row.facts])
        self.writes += 1
        if self.problem is None:
            self.kept[row.id] = row
        return self.answer(None)

    def forget(self, ids: Sequence[int]) -> Deferred[None]:
        """See L{tcworker.cache.table.CacheTable.forget}."""
        self.writes += 1
        for id in ids if self.problem is None else ():
            self.kept.pop(id, None)
        return self.answer(None)

    def rows(self) -> Deferred[list[Row]]:
        """See L{tcworker.cache.table.CacheTable.rows}."""
        return succeed([self.kept[id] for id in sorted(self.kept)])

    def begin(self) -> Deferred[bool]:
        """See L{tcworker.cache.table.CacheTable.begin}."""
        return succeed(self.went_down)

    def end(self) -> Deferred[None]:
        """See L{tcworker.cache.table.CacheTable.end}."""
        return succeed(None)


class FakeCacheWorker:
    """What the runs of one worker share.

    @ivar home: where the folders of its platform are, C{downloads} where the others are.
    @ivar table: what it remembers.
    @ivar store: says what is kept and who has what; after a restart, to be opened with L{open}.
    @param dead: the worker before, which has left all that.
    """

    def __init__(self, clock: IReactorTime, capacity: int = 1, dead: FakeCacheWorker | None = None) -> None:
        self.home: MemoryHome = MemoryHome(dead.home if dead else None)
        self.downloads: MemoryHome = MemoryHome(dead.downloads if dead else None)
        self.table: MemoryTable = dead.table if dead else MemoryTable()
        self.store = CacheStore(self.table, self.downloads.as_home(DOWNLOADS), capacity, ServerTime(clock.seconds))

    def open(self) -> Deferred[None]:
        """Let the store find what there is."""
        return self.store.open([self.home.as_home(PLATFORM)])


@implementer(ICaches)
class FakeCaches:
    """What a run may have, with the worker's own rules and folders in memory.

    @ivar purges_heeded: how often L{heed_purges} was called.
    @ivar room: what comes of making room when a disk is full.
    @ivar full: the paths on disks for which that was asked.
    """

    def __init__(self, worker: FakeCacheWorker, run: str = "run/0") -> None:
        self.purges_heeded = 0
        self.room = RoomMade.NONE
        self.full: list[str | None] = []
        self.worker = worker
        self._caches = worker.store.of_home(run, worker.home.as_home(PLATFORM))

    def heed_purges(self) -> Deferred[None]:
        """See L{ICaches.heed_purges}."""
        self.purges_heeded += 1
        return succeed(None)

    def make_room(self, full: str | None = None) -> Deferred[RoomMade]:
        """See L{ICaches.make_room}."""
        self.full.append(full)
        return succeed(self.room)

    def exclusive(self, name: str) -> Deferred[IHeldCache]:
        """See L{ICaches.exclusive}."""
        return self._caches.exclusive(name)

    def shared(self, key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """See L{ICaches.shared}."""
        return self._caches.shared(key, make, say)

    def downloaded(self, key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """See L{ICaches.downloaded}."""
        return self._caches.downloaded(key, make, say)
