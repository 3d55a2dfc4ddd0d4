"""Ten thousand caches, of which half must go: how long that takes, and whether the reactor waits for it."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from limits import Row, under
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.task import LoopingCall

from tcworker.cache.collector_service import CollectorService
from tcworker.cache.folders import Folders
from tcworker.cache.homes import Home
from tcworker.cache.opening import OpenedCaches
from tcworker.cache.places import Places
from tcworker.cache.run_caches import RunCaches
from tcworker.cache.store import CacheStore
from tcworker.client.server_time import ServerTime
from tcworker.config import Config
from tcworker.interfaces import JSON, Credentials, ICacheFolder, Say
from tcworker.state import StateStore
from tcworker.waiting import Threads, pause

SECONDS, BLOCKED_MS = 1.0, 50.0
AT_A_TIME = 8
TICK = 0.002
LOOK_EVERY = 0.2


class LongestWait:
    """How long something that was due had to wait for the reactor at the most, in seconds."""

    def __init__(self, reactor: Any) -> None:
        self.longest = 0.0
        self._last = time.perf_counter()
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor
        self._ticking.start(TICK)

    def stop(self) -> None:
        """Look no longer."""
        self._ticking.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last - TICK), now


async def collect(reactor: Any, folder: Path, count: int) -> Sequence[Row]:
    """Make so many caches, and have half of them thrown away."""
    places = {name: f"{folder}/{name}" for name in ("state_dir", "tasks_dir", "caches_dir", "downloads_dir")}
    config = Config("https://tc.example.com", Credentials("bench", ""), "bench", "bench", **places)
    threads, state = Threads(reactor, 2, "bench"), await StateStore.open(reactor, config.state_dir)
    opened = await OpenedCaches.open(reactor, config, state, ServerTime(time.time))
    try:
        await opened.store.open([])
        # As a worker does that has booted.
        gc.freeze()
        run = opened.store.of_home("bench/0", Home.of_downloads(Folders(config.caches_dir, threads, "cachesDir")))
        await _each(count, lambda number: _make(run, number))
        await _all_measured(reactor, opened.store)
        return await _throw_away_half(reactor, threads, opened.store, config)
    finally:
        await opened.close()
        await state.close()
        await threads.stop()


async def _each(count: int, do: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await do(number)

    await gatherResults([Deferred.fromCoroutine(work()) for _ in range(AT_A_TIME)])


async def _make(run: RunCaches, number: int) -> None:
    held = await run.downloaded(f"bench:{number}", _fill, lambda line: None)
    await held.give_back()


def _fill(folder: ICacheFolder, say: Say) -> Deferred[JSON]:
    assert folder.path is not None
    Path(folder.path, "content").write_bytes(b"x" * 4096)
    return succeed(None)


async def _all_measured(reactor: Any, caches: CacheStore) -> None:
    """Wait until it is known how large each is."""
    while not all(row.size for row in await caches.rows()):
        await pause(reactor, LOOK_EVERY)


async def _throw_away_half(reactor: Any, threads: Threads, caches: CacheStore, config: Config) -> Sequence[Row]:
    before = len(await caches.rows())
    # Of the disk nothing is asked: what it has free is not the measurement's.
    collector = CollectorService(reactor, threads, caches, Places((), ()), caches.total // 2, time.time)
    collector.startService()
    # Nor is what making so many has left to be tidied up: in a worker's life they come one by one.
    gc.collect()
    waits, begun = LongestWait(reactor), time.perf_counter()
    await collector.make_room()
    took = time.perf_counter() - begun
    waits.stop()
    await collector.stopService()
    note = f"{before - len(await caches.rows())} of them went"
    return [
        under(f"collector on {before} caches", took, SECONDS, "s", note),
        under("the reactor's longest wait meanwhile", 1000 * waits.longest, BLOCKED_MS, "ms"),
    ]
