"""What is remembered of caches when a worker dies."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from twisted.internet import reactor
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from tcworker.cache.rows import DOWNLOADS, EXCLUSIVE, SHARED, Row
from tcworker.cache.table import CacheTable, StateTable
from tcworker.state import StateStore
from tcworker.state_folder import SCRIPTS
from tcworker.testing.caches import MemoryTable
from tcworker.testing.facilities import NoThreads

NOW = 1_800_000_000.25

CHECKOUT = Row(
    1, EXCLUSIVE, "native", "checkouts", NOW, NOW + 1.5, {"path": "/x", "uid": 40000}, 1 << 40, 12.5, "task/0"
)
DOWNLOAD = Row(7, SHARED, DOWNLOADS, "urlcontent:https://x", NOW, NOW, {"path": "/y"}, purged=True, facts={"etag": "é"})


class Case(Protocol):
    table: CacheTable

    async def rows(self) -> list[Row]: ...

    def assertEqual(self, first: Any, second: Any) -> None: ...

    def assertRaises(self, error: type[Exception], call: Any, row: Row) -> object: ...


class TableContract:
    """For a table, and what the next worker finds in it."""

    async def test_all_of_a_row(self: Case) -> None:
        await self.table.keep(CHECKOUT)
        await self.table.keep(DOWNLOAD)
        self.assertEqual(await self.rows(), [CHECKOUT, DOWNLOAD])

    async def test_a_row_in_the_place_of_what_was_known(self: Case) -> None:
        await self.table.keep(CHECKOUT)
        newer = Row(1, EXCLUSIVE, "native", "checkouts", NOW, NOW + 2)
        await self.table.keep(newer)
        self.assertEqual(await self.rows(), [newer])

    async def test_those_that_are_forgotten(self: Case) -> None:
        await self.table.keep(CHECKOUT)
        await self.table.keep(DOWNLOAD)
        await self.table.forget([1, 99])
        self.assertEqual(await self.rows(), [DOWNLOAD])

    async def test_what_is_no_json_is_refused(self: Case) -> None:
        self.assertRaises(TypeError, self.table.keep, replace(DOWNLOAD, facts=object()))

    async def test_in_the_order_of_their_ids(self: Case) -> None:
        await self.table.keep(DOWNLOAD)
        await self.table.keep(CHECKOUT)
        self.assertEqual([row.id for row in await self.rows()], [1, 7])


class InMemory(TableContract, TestCase):
    def setUp(self) -> None:
        self.table = MemoryTable()

    async def rows(self) -> list[Row]:
        return await self.table.rows()


class InTheState(TableContract, TestCase):
    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        self.folder = self.mktemp()
        await self.open()

    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        await self.state.close()

    async def open(self) -> None:
        self.state = await StateStore.open(reactor, self.folder)
        self.table = StateTable(self.state, NoThreads())

    async def goes_down(self, boot: str) -> bool:
        """Whether that is what the next worker finds, on this boot."""
        await self.rows()
        return await StateTable(self.state, NoThreads(), lambda: boot).begin()

    async def test_a_machine_that_went_down(self) -> None:
        self.assertFalse(await self.goes_down("first"))
        self.assertFalse(await self.goes_down("first"))
        self.assertTrue(await self.goes_down("second"))
        self.assertFalse(await self.goes_down("second"))

    async def test_a_worker_that_ended_before_that(self) -> None:
        self.assertFalse(await self.goes_down("first"))
        await self.table.end()
        self.assertFalse(await self.goes_down("second"))

    async def test_a_machine_that_names_no_boot(self) -> None:
        for boot in ("first", "", ""):
            self.assertFalse(await self.goes_down(boot))

    def make_older(self) -> None:
        for file in Path(self.folder).glob("state.db*"):
            file.unlink()
        database = sqlite3.connect(f"{self.folder}/state.db")
        database.executescript(f"{SCRIPTS[0]} {SCRIPTS[1]} PRAGMA user_version = 2;")
        database.close()

    async def rows(self) -> list[Row]:
        """Those that another worker finds."""
        await self.state.close()
        await self.open()
        return await self.table.rows()

    async def test_one_that_cannot_be_read_costs_no_other(self) -> None:
        await self.table.keep(CHECKOUT)
        await self.table.keep(DOWNLOAD)
        lines: list[LogEvent] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        texts = (
            "details = 'no json'",
            "kind = 'other'",
            "size = 'much'",
            "details = x'ff'",
            "facts = ''",
            "run = x'ff'",
        )
        numbers = ("created = 1e300", "used = -1e300", "used = 9e999", "seconds = 9e999", "seconds = -1", "size = -1")
        for spoiled in (*texts, *numbers, "size = 1e300"):
            await self.state.write(f"UPDATE caches SET {spoiled} WHERE id = 1")
            self.assertEqual(await self.rows(), [DOWNLOAD], spoiled)
            self.assertIn("cannot be read", formatEvent(lines[-1]) or "")
            await self.table.keep(CHECKOUT)

    async def test_tables_of_an_older_worker_are_made_anew(self) -> None:
        await self.state.close()
        self.make_older()
        await self.open()
        await self.table.keep(CHECKOUT)
        self.assertEqual(await self.rows(), [CHECKOUT])
