"""The database: one SQLite file in WAL mode. One thread writes, others read beside it.

A commit survives the death of this process at any moment; only the loss of power can take the last ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

from tcworker.embedded.database_file import Connection, check, connect, reader
from tcworker.waiting import Threads

T = TypeVar("T")
P = ParamSpec("P")

READERS = 2

NewThreads = Callable[[int, str], Threads]
"""Makes a pool of so many threads, with a name."""


class Database:
    """One SQLite database, for jobs that are given a connection.

    Jobs run in threads: one touches nothing but the connection and its own arguments. What it returns is whole: the
    cursors that it leaves are closed.

    @param writer: the one thread that writes.
    @param readers: where reading is done; C{None} if by the writer, because the database is in its memory.
    """

    def __init__(
        self,
        connection: Connection,
        writer: Threads,
        readers: Threads | None = None,
        reading: Sequence[Connection] = (),
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._readers = readers
        self._idle = list(reading)

    @classmethod
    async def open(cls, new_threads: NewThreads, path: str | None, schema: str) -> Database:
        """Open a database. Raises L{DataUnusable}, and then has not changed anything.

        @param path: of its file, made when it is not there; C{None} for one in memory.
        @param schema: C{CREATE … IF NOT EXISTS} statements of everything in it.
        """
        writer = new_threads(1, "database")
        try:
            if path is None:
                return cls(await writer.run(connect, ":memory:", schema), writer)
            await writer.run(check, path, schema)
            connection = await writer.run(connect, path, schema)
            reading = [await writer.run(reader, path) for _ in range(READERS)]
            return cls(connection, writer, new_threads(READERS, "database-reader"), reading)
        except BaseException:
            await writer.stop()
            raise

    def run(
        self, job: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Call a job in a transaction of its own that may write: what it raises undoes what it did."""
        return self._writer.run(_transact, self._connection, lambda: job(self._connection, *args, **kwargs))

    def read(
        self, job: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Call a job that only reads, beside those that write; it sees all that was committed when it was asked for."""
        if self._readers is None:
            return self.run(job, *args, **kwargs)
        return self._readers.run(self._read, lambda connection: job(connection, *args, **kwargs))

    def _read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        # As many as there are threads: there is always one left.
        connection = self._idle.pop()
        try:
            connection.execute("BEGIN")
            try:
                return job(connection)
            finally:
                connection.end("ROLLBACK")
        finally:
            self._idle.append(connection)

    async def close(self) -> None:
        """Finish what was begun, and close the file."""
        if self._readers is not None:
            await self._readers.stop()
        for connection in self._idle:
            connection.close()
        await self._writer.run(self._connection.close)
        await self._writer.stop()


def keep_key(connection: sqlite3.Connection, name: str, fresh: str) -> str:
    """A job that gives the secret of that name which was kept first: C{fresh} unless there is one."""
    connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (name, fresh))
    return str(connection.execute("SELECT key FROM keys WHERE name = ?", (name,)).fetchone()[0])


def _transact(connection: Connection, job: Callable[[], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job()
    except BaseException:
        connection.end("ROLLBACK")
        raise
    connection.end("COMMIT")
    return result
