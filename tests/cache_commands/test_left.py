"""The caches of a worker that does not run, looked at and thrown away on its disk."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.cache import folders
from tcworker.cache.folders import Folders
from tcworker.cache.rows import DOWNLOADS, EXCLUSIVE, SHARED, Row
from tcworker.cache.table import StateTable
from tcworker.cache_commands.left import NotAllRemoved, obey
from tcworker.config import Source, lay_over, so_far
from tcworker.control.orders import CLEAR_CACHES, LIST_CACHES, PURGE_CACHE, Order
from tcworker.errors import ConfigError, StateDirectoryTaken
from tcworker.removal import remove
from tcworker.state import StateStore
from tcworker.waiting import Threads
from tests.surroundings import only_root


class LeftCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.state_dir = os.path.abspath(self.mktemp())
        self.config = so_far(lay_over([Source("test", {"stateDir": self.state_dir})]))

    async def keep(self) -> None:
        """Leave two caches, a download, and a cache of a platform that keeps it somewhere else."""
        state = await StateStore.open(reactor, self.state_dir)
        threads = Threads(reactor, 1, "test")
        table = StateTable(state, threads)
        caches, downloads = [
            Folders(path, threads, "x") for path in (self.config.caches_dir, self.config.downloads_dir)
        ]
        await caches.open()
        await downloads.open()
        for id, name in enumerate(("one", "two"), 1):
            folder = await caches.new(name)
            os.mkdir(os.path.join(folder.path, "something"))
            await table.keep(self.row(id, name, details=folder.details))
        folder = await downloads.new("url:x")
        await table.keep(self.row(3, "url:x", kind=SHARED, platform=DOWNLOADS, details=folder.details))
        await table.keep(self.row(4, "one", platform="other", details={"volume": 7}))
        for each in (caches, downloads):
            await each.close()
        await threads.stop()
        await state.close()

    def row(self, id: int, name: str, **more: Any) -> Row:
        known: dict[str, Any] = {"kind": EXCLUSIVE, "platform": "native", "size": 1 << 20, **more}
        return Row(id=id, name=name, created=1.8e9, used=1.8e9, **known)

    def do(self, what: str, cache: str = "") -> Any:
        return obey(reactor, self.config, Order(what, cache=cache))

    async def names(self) -> list[str]:
        """Those of what is remembered, and marked where it is to go."""
        listed = (await self.do(LIST_CACHES))["caches"]
        return [("to go: " if cache["toBePurged"] else "") + cache["name"] for cache in listed]

    def folders(self) -> int:
        """How many there are."""
        places = (self.config.caches_dir, self.config.downloads_dir)
        return sum(name != "lock" for place in places for name in os.listdir(place))


class Left(LeftCase):
    async def test_are_listed(self) -> None:
        await self.keep()
        self.assertEqual(await self.names(), ["one", "two", "url:x", "one"])
        [first, *_] = (await self.do(LIST_CACHES))["caches"]
        self.assertEqual(
            (first["kind"], first["what"], first["bytes"], first["used"]),
            ("exclusive", "cache one", 1 << 20, "2027-01-15T08:00:00.000Z"),
        )

    async def test_one_goes_by_its_name(self) -> None:
        await self.keep()
        said = await self.do(PURGE_CACHE, "one")
        self.assertEqual(said, {"said": "1 removed (1.0 MiB), 1 to go when the worker starts"})
        self.assertEqual(await self.names(), ["two", "url:x", "to go: one"])
        self.assertEqual(self.folders(), 2)

    async def test_a_download_has_no_name_to_purge(self) -> None:
        await self.keep()
        self.assertEqual(await self.do(PURGE_CACHE, "url:x"), {"said": "there is no cache url:x"})
        self.assertEqual(self.folders(), 3)

    async def test_all_go(self) -> None:
        await self.keep()
        await self.do(CLEAR_CACHES)
        self.assertEqual((await self.names(), self.folders()), (["to go: one"], 0))

    async def test_nothing_is_there_to_go(self) -> None:
        await self.keep()
        await self.do(CLEAR_CACHES)
        await self.do(PURGE_CACHE, "one")
        self.assertEqual(await self.do(PURGE_CACHE, "two"), {"said": "there is no cache two"})

    async def test_one_that_cannot_go_keeps_none_of_the_others(self) -> None:
        await self.keep()

        def refuse(path: str, wanted: Any) -> None:
            if path.startswith(self.config.downloads_dir):
                raise PermissionError(1, "Operation not permitted", "file")
            remove(path, wanted=wanted)

        self.patch(folders, "remove", refuse)
        error = await self.assertFailure(Deferred.fromCoroutine(self.do(CLEAR_CACHES)), NotAllRemoved)
        [left] = [name for name in os.listdir(self.config.downloads_dir) if name != "lock"]
        self.assertEqual(
            str(error),
            "2 removed (2.0 MiB), 1 to go when the worker starts; download url:x cannot be removed: [Errno 1] Operation"
            f" not permitted: '{self.config.downloads_dir}/{left}'. The next worker tries it again",
        )
        self.assertEqual(self.folders(), 1)


class InUse(LeftCase):
    async def test_of_a_worker_that_runs_nothing_is_touched(self) -> None:
        await self.keep()
        state = await StateStore.open(reactor, self.state_dir)
        error = await self.assertFailure(Deferred.fromCoroutine(self.do(CLEAR_CACHES)), StateDirectoryTaken)
        self.assertIn(str(os.getpid()), str(error))
        await state.close()
        self.assertEqual(self.folders(), 3)

    async def test_nor_of_one_with_another_state_directory(self) -> None:
        await self.keep()
        threads = Threads(reactor, 1, "test")
        folders = Folders(self.config.caches_dir, threads, "cachesDir")
        await folders.open()
        await self.assertFailure(Deferred.fromCoroutine(self.do(CLEAR_CACHES)), ConfigError)
        await folders.close()
        await threads.stop()
        self.assertEqual(len(await self.names()), 4)


class OfOthers(LeftCase):
    async def test_root_leaves_somebodys_folder_as_it_is(self) -> None:
        only_root()
        os.mkdir(self.state_dir)
        os.chown(self.state_dir, 61000, 61000)
        error = await self.assertFailure(Deferred.fromCoroutine(self.do(CLEAR_CACHES)), ConfigError)
        self.assertIn("belongs to user 61000", str(error))
        self.assertEqual(os.listdir(self.state_dir), [])
