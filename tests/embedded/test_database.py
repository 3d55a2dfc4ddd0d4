"""The database, in real threads and on a real disk."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tcworker.embedded.database import READERS, Database, keep_key
from tcworker.embedded.database_file import KEYS, VERSION, DataUnusable
from tcworker.waiting import Threads

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (n INTEGER);"

DIE_AFTER_A_COMMIT = f"""
import os, signal, sys
from tcworker.embedded.database_file import connect
connection = connect(sys.argv[1], {SCHEMA!r})
connection.execute("INSERT INTO numbers VALUES (7)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def add(connection: sqlite3.Connection, n: int) -> int:
    connection.execute("INSERT INTO numbers VALUES (?)", (n,))
    return 10 // n


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [row["n"] for row in connection.execute("SELECT n FROM numbers ORDER BY n")]


def break_off(connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT n FROM numbers")
    for row in rows:
        raise ValueError(f"halfway, at {row['n']}")


def all_of(connection: sqlite3.Connection) -> sqlite3.Cursor:
    return connection.execute("SELECT n FROM numbers")


def first_of(connection: sqlite3.Connection) -> sqlite3.Cursor:
    cursor = all_of(connection)
    cursor.fetchone()
    return cursor


class DatabaseTestCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    async def open(self, path: str | None = "", schema: str = SCHEMA) -> Database:
        database = await Database.open(partial(Threads, reactor), self.path if path == "" else path, schema)
        self.addCleanup(database.close)
        return database


class Jobs(DatabaseTestCase):
    async def test_what_a_job_did_is_there_when_it_is_answered(self) -> None:
        database = await self.open()
        self.assertEqual(await database.run(add, 2), 5)
        self.assertEqual(await database.read(numbers), [2])

    async def test_what_a_job_raises_undoes_what_it_did(self) -> None:
        database = await self.open()
        await self.assertFailure(database.run(add, 0), ZeroDivisionError)
        self.assertEqual(await database.read(numbers), [])
        self.assertEqual(await database.run(add, 1), 10)

    async def test_who_reads_does_not_write(self) -> None:
        database = await self.open()
        await self.assertFailure(database.read(add, 1), sqlite3.OperationalError)
        self.assertEqual(await database.read(numbers), [])

    async def test_readers_do_not_wait_for_who_writes(self) -> None:
        database = await self.open()
        go = threading.Event()
        writing = database.run(lambda connection: (add(connection, 1), go.wait(20)))
        self.assertEqual(await gatherResults([database.read(numbers) for _ in range(5)]), [[]] * 5)
        go.set()
        await writing
        self.assertEqual(await database.read(numbers), [1])

    async def everybody_sees(self, database: Database, wanted: list[int]) -> None:
        """Let each reader read, all at once."""
        together = threading.Barrier(READERS, timeout=20)

        def look(connection: sqlite3.Connection) -> list[int]:
            together.wait()
            return numbers(connection)

        self.assertEqual(await gatherResults([database.read(look) for _ in range(READERS)]), [wanted] * READERS)

    async def test_a_job_that_broke_off_leaves_no_reader_in_the_past(self) -> None:
        database = await self.open()
        for n in (1, 2, 3):
            await database.run(add, n)
        # Whoever logs such a failure has it, and with its traceback all that the job had, for as long as this.
        failures: list[Failure] = []
        for _ in range(2 * READERS):
            await database.read(break_off).addErrback(failures.append)
        await database.run(add, 4)
        await self.everybody_sees(database, [1, 2, 3, 4])
        self.assertEqual({failure.getErrorMessage() for failure in failures}, {"halfway, at 1"})

    async def test_a_cursor_that_a_job_returns_is_closed(self) -> None:
        database = await self.open()
        for n in (1, 2, 3):
            await database.run(add, n)
        left = [await database.read(job) for job in (all_of, first_of) for _ in range(READERS)]
        left.append(await database.run(first_of))
        await database.run(add, 4)
        await self.everybody_sees(database, [1, 2, 3, 4])
        for cursor in left:
            self.assertRaises(sqlite3.ProgrammingError, cursor.fetchone)

    async def test_in_memory_it_is_the_same_without_a_file(self) -> None:
        database = await self.open(None)
        await database.run(add, 3)
        self.assertEqual(await database.read(numbers), [3])

    async def test_a_secret_stays_the_same(self) -> None:
        database = await self.open()
        self.assertEqual(await database.run(keep_key, "a", "first"), "first")
        self.assertEqual(await database.run(keep_key, "a", "second"), "first")


class Files(DatabaseTestCase):
    async def fill(self) -> None:
        database = await Database.open(partial(Threads, reactor), self.path, SCHEMA)
        await database.run(add, 1)
        await database.close()

    async def refusal(self) -> str:
        """Give why it is refused; whatever is in its place stays as it is."""
        before = self.contents()
        refused = await self.assertFailure(self.open_anew(), DataUnusable)
        self.assertEqual(self.contents(), before)
        self.assertIn(self.path, str(refused))
        return str(refused)

    def open_anew(self) -> Any:
        return Deferred.fromCoroutine(self.open())

    def contents(self) -> dict[str, bytes]:
        place = Path(self.path)
        return {file.name: file.read_bytes() for file in place.parent.glob(f"{place.name}*")}

    def write(self, content: bytes) -> None:
        Path(self.path).write_bytes(content)

    def let_a_process_die(self) -> None:
        subprocess.run([sys.executable, "-c", DIE_AFTER_A_COMMIT, self.path], check=False, timeout=20)

    async def test_what_is_committed_outlives_the_process(self) -> None:
        self.let_a_process_die()
        self.assertEqual(await (await self.open()).read(numbers), [7])

    async def test_nobody_else_may_read_it(self) -> None:
        await (await self.open()).run(add, 1)
        for name in self.contents():
            mode = Path(self.path).with_name(name).stat().st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)

    async def test_a_file_that_is_no_database(self) -> None:
        self.write(b"my diary " * 1000)
        self.assertIn("not a database", await self.refusal())

    async def test_a_damaged_database(self) -> None:
        await self.fill()
        self.write(self.contents()[os.path.basename(self.path)][:-4096] + b"\x99" * 4096)
        self.assertIn("was not touched", await self.refusal())

    async def test_a_damaged_database_whose_process_died(self) -> None:
        await self.fill()
        self.let_a_process_die()
        sizes = {name: len(content) for name, content in self.contents().items()}
        self.assertEqual(len(sizes), 3)
        self.write(b"\x99" * sizes[os.path.basename(self.path)])
        self.assertIn("was not touched", await self.refusal())

    async def test_a_damaged_database_on_a_file_system_without_links(self) -> None:
        def refuse(*_: str) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        await self.fill()
        self.let_a_process_die()
        self.write(b"\x99" * len(self.contents()[os.path.basename(self.path)]))
        self.patch(os, "link", refuse)
        self.assertIn("was not touched", await self.refusal())

    async def test_a_database_of_which_only_the_log_is_left(self) -> None:
        self.let_a_process_die()
        self.write(b"")
        self.assertIn("-wal", await self.refusal())

    async def test_tables_of_another_version(self) -> None:
        await self.fill()
        connection = sqlite3.connect(self.path)
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
        self.assertIn(f"version {VERSION + 1}", await self.refusal())

    async def test_other_tables_that_say_they_are_of_this_version(self) -> None:
        connection = sqlite3.connect(self.path)
        connection.executescript(f"{KEYS} CREATE TABLE numbers (x, y); PRAGMA user_version = {VERSION};")
        connection.close()
        refusal = await self.refusal()
        self.assertIn("table numbers has the columns x, y and not n; it was not touched", refusal)
        self.assertNotIn("disk", refusal)

    async def test_a_table_that_is_missing(self) -> None:
        await self.fill()
        connection = sqlite3.connect(self.path)
        connection.executescript("PRAGMA journal_mode = DELETE; DROP TABLE numbers;")
        connection.close()
        self.assertIn("table numbers is missing", await self.refusal())

    async def test_a_place_where_no_file_can_be(self) -> None:
        self.path = os.path.join(self.path, "no", "such", "folder")
        refused = await self.assertFailure(self.open_anew(), DataUnusable)
        self.assertIn(self.path, str(refused))
