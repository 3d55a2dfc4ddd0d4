"""What a worker keeps for tasks on a real disk, in a real state, with real threads, and what the next worker finds."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from tcworker.cache.folders import Folders
from tcworker.cache.homes import Home
from tcworker.cache.opening import OpenedCaches
from tcworker.cache.run_caches import RunCaches
from tcworker.client.server_time import ServerTime
from tcworker.config import Config
from tcworker.errors import ConfigError
from tcworker.interfaces import Credentials, ICacheFolder, IHeldCache, Say
from tcworker.state import StateStore
from tcworker.testing.engines import traces
from tcworker.waiting import Threads
from tests.cache.surroundings import silence


def make(folder: ICacheFolder, say: Say) -> Deferred[Any]:
    """Put 100 kB into a file."""
    assert folder.path is not None
    Path(folder.path, "content").write_bytes(os.urandom(100_000))
    return succeed({"sha256": "abc"})


class Keeping(TestCase):
    timeout = 60

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        self.folder = os.path.abspath(self.mktemp())
        self.threads = traces.threads()
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        return Deferred.fromCoroutine(self.begin())

    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        await self.end()
        self.assertEqual(traces.threads(), self.threads)

    async def begin(self) -> None:
        config = Config("https://x", Credentials("c", "s"), "type", "w1", state_dir=self.folder, capacity=2)
        time = ServerTime(reactor.seconds)
        self.state = await StateStore.open(reactor, self.folder)
        self.opened = await OpenedCaches.open(reactor, config, self.state, time)
        self.platform_threads = Threads(reactor, 1, "platform")
        self.platform = Folders(config.caches_dir, self.platform_threads, "cachesDir")
        await self.platform.open()
        self.home = Home("native", self.platform.new, self.platform.find, self.platform.sweep)
        await self.opened.store.open([self.home])

    async def end(self) -> None:
        await self.opened.close()
        await self.platform.close()
        await self.platform_threads.stop()
        await self.state.close()

    async def next_worker(self) -> None:
        await self.end()
        await self.begin()

    def run_of(self, name: str = "a/0") -> RunCaches:
        return self.opened.store.of_home(name, self.home)

    async def downloaded(self, key: str = "key") -> IHeldCache:
        return await self.run_of().downloaded(key, make, silence)

    def kept(self, kind: str) -> list[Path]:
        return [path for path in Path(self.folder, kind).iterdir() if path.name != "lock"]

    async def test_a_download_is_there_for_the_next_worker(self) -> None:
        held = await self.downloaded()
        await held.give_back()
        await self.next_worker()
        again = await self.downloaded()
        self.assertEqual((again.fresh, again.facts, again.folder.path), (False, {"sha256": "abc"}, held.folder.path))

    async def test_it_is_there_though_a_task_still_read_it(self) -> None:
        held = await self.downloaded()
        await self.next_worker()
        self.assertEqual((await self.downloaded()).folder.path, held.folder.path)

    async def test_a_cache_that_a_task_still_had_is_gone_and_one_given_back_is_not(self) -> None:
        lost, whole = await gatherResults([self.run_of().exclusive("checkouts"), self.run_of().exclusive("compiler")])
        await whole.give_back()
        await self.next_worker()
        await self.opened.store.settled()
        self.assertEqual([str(path) for path in self.kept("caches")], [whole.folder.path])
        self.assertTrue((await self.run_of().exclusive("checkouts")).fresh)
        self.assertFalse((await self.run_of().exclusive("compiler")).fresh)
        self.assertNotEqual(lost.folder.path, whole.folder.path)

    async def test_of_one_name_as_many_are_kept_as_tasks_run_at_one_time(self) -> None:
        held = [await self.run_of().exclusive("checkouts") for _ in range(4)]
        for each in held:
            await each.give_back()
        await self.opened.store.settled()
        self.assertEqual({str(path) for path in self.kept("caches")}, {each.folder.path for each in held[2:]})

    async def test_what_is_not_on_the_disk_any_more_is_said(self) -> None:
        """That disk may be missing this time only."""
        held = await self.downloaded()
        await held.give_back()
        os.rename(held.folder.path or "", os.path.join(self.folder, "elsewhere"))
        await self.next_worker()
        self.assertIn("1 of what was kept for tasks are not in cachesDir or downloadsDir any more", self.said())

    async def test_what_nobody_knows_is_removed_and_said(self) -> None:
        os.mkdir(os.path.join(self.folder, "downloads", "cache-0123456789abcdef"))
        await self.next_worker()
        await self.opened.store.sweep()
        self.assertEqual(self.kept("downloads"), [])
        self.assertIn("1 folders that nobody knows are removed", self.said())

    def said(self) -> str:
        return "\n".join(filter(None, map(formatEvent, self.events)))

    async def test_one_that_was_still_being_made_is_gone(self) -> None:
        def never(folder: ICacheFolder, say: Say) -> Deferred[Any]:
            return make(folder, say).addCallback(lambda _: Deferred())

        making = self.run_of().downloaded("key", never, silence)
        making.addErrback(lambda _: None)
        while not self.kept("downloads"):
            await self.platform_threads.run(lambda: None)
        await self.next_worker()
        await self.opened.store.settled()
        self.assertEqual(self.kept("downloads"), [])

    async def test_its_size_is_found_in_the_background_and_remembered(self) -> None:
        await (await self.downloaded()).give_back()
        while not self.opened.store.total:
            await self.platform_threads.run(lambda: None)
        self.assertEqual(self.opened.store.total // 100_000, 1)
        await self.next_worker()
        self.assertEqual(self.opened.store.total // 100_000, 1)

    async def test_one_that_was_not_measured_in_time_is_so_by_the_next_worker(self) -> None:
        await (await self.downloaded()).give_back()
        await self.end()
        with closing(sqlite3.connect(os.path.join(self.folder, "state.db"))) as database, database:
            database.execute("UPDATE caches SET size = 0")
        await self.begin()
        while not self.opened.store.total:
            await self.platform_threads.run(lambda: None)
        self.assertEqual(self.opened.store.total // 100_000, 1)

    async def test_what_is_thrown_away_is_off_the_disk(self) -> None:
        await (await self.downloaded()).give_back()
        await self.opened.store.throw_away(await self.opened.store.idle())
        self.assertEqual(self.kept("downloads"), [])

    async def test_two_workers_cannot_have_one_folder(self) -> None:
        config = Config("https://x", Credentials("c", "s"), "type", "w2", state_dir=self.folder)
        with self.assertRaises(ConfigError) as refused:
            await OpenedCaches.open(reactor, config, self.state, ServerTime(reactor.seconds))
        self.assertIn("downloadsDir", str(refused.exception))
