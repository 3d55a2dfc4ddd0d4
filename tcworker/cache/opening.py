"""Opens the caches of a worker, and closes them with all that they stand on."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads

from tcworker.cache.folders import Folders
from tcworker.cache.homes import Home
from tcworker.cache.store import CacheStore
from tcworker.cache.table import State, StateTable
from tcworker.client.server_time import ServerTime
from tcworker.config import Config
from tcworker.waiting import Threads

THREADS = 2
"""One may be removing or measuring for long, while a task waits for another to make a folder."""


class OpenedCaches:
    """What a worker keeps for tasks, with its own folder of downloads and its own threads.

    @ivar store: to be opened when the platforms are prepared.
    """

    def __init__(self, threads: Threads, downloads: Folders, store: CacheStore) -> None:
        self._threads = threads
        self._downloads = downloads
        self.store = store

    @classmethod
    def open(cls, reactor: IReactorThreads, config: Config, state: State, time: ServerTime) -> Deferred[OpenedCaches]:
        """Take the folder of downloads; to be closed. Fails with L{ConfigError}."""
        return Deferred.fromCoroutine(cls._open(reactor, config, state, time))

    @classmethod
    async def _open(cls, reactor: IReactorThreads, config: Config, state: State, time: ServerTime) -> OpenedCaches:
        threads = Threads(reactor, THREADS, "caches")
        downloads = Folders(config.downloads_dir, threads, "downloadsDir")
        store = CacheStore(StateTable(state, threads), Home.of_downloads(downloads), config.capacity, time)
        opened = cls(threads, downloads, store)
        try:
            await downloads.open()
        except BaseException:
            await opened.close()
            raise
        return opened

    def close(self) -> Deferred[None]:
        """Nothing of them is at work any more when it fires; to be called once."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        try:
            # Before its folders: it may be making or removing something in them.
            await self.store.close()
            await self._downloads.close()
        finally:
            # Threads that nobody stops would keep the process from ending.
            await self._threads.stop()
