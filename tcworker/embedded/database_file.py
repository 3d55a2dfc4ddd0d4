"""The file of the database: whether it can be used, and connections to it. All of it blocks."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from tcworker.embedded.links import link

VERSION = 1
"""Of the tables: raise it with every change of any C{SCHEMA}. Files of another version are not touched."""

DIGEST = "85268ca9d4dd0023992936574ec5c3283f5053daf317ce88362c80f7db75d224"
"""Of the tables of this version, by which a test notices a change of them."""

KEYS = "CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;"

_WRITING = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;"

CHECKS = "check-"
"""What the folders are called by that are there while a database is looked at."""

_MOVE = "move it away (with -wal and -shm, if they are there) to start with an empty one"


class DataUnusable(Exception):
    """What was kept cannot be gone on with; the text says what, why, and what to do."""


class Connection(sqlite3.Connection):
    """A connection that can end whatever was begun by it.

    As long as one cursor is not read to its end, SQLite goes on to show the database as it was when that was made, even
    after a rollback; and the traceback of an exception, or a result, may keep one alive for long.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]  # the base's is overloaded
        """See the base."""
        cursor: sqlite3.Cursor = super().cursor(*args)
        self._cursors.add(cursor)
        return cursor

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """See the base, which makes its cursors past L{cursor}; so do the others."""
        return self.cursor().execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        """See the base."""
        return self.cursor().executemany(*args)

    def executescript(self, script: str) -> sqlite3.Cursor:
        """See the base."""
        return self.cursor().executescript(script)

    def end(self, how: str) -> None:
        """End the transaction, and all cursors, which cannot be read any more."""
        for cursor in list(self._cursors):
            cursor.close()
        self.execute(how).close()


def check(path: str, schema: str) -> None:
    """Raise L{DataUnusable} for a file that is damaged or has other tables; it is only read."""
    if not _holds_something(path):
        # SQLite would take it for a new one, and throw the log away.
        if _holds_something(f"{path}-wal"):
            raise DataUnusable(f"{path} is empty, and {path}-wal is not; neither was touched: {_MOVE}")
        return
    try:
        with _looked_at(path) as file:
            _check(path, file, schema)
    except sqlite3.Error as error:
        raise DataUnusable(f"{path} cannot be read ({error}); it was not touched: {_MOVE}") from error


@contextmanager
def _looked_at(path: str) -> Iterator[sqlite3.Connection]:
    """Open a database in such a way that it stays as it is, byte for byte, with all that is beside it."""
    left = f"{path}-wal"
    if not _holds_something(left):
        # Without this, SQLite would make such a log.
        with closing(_read_only(path, "immutable=1")) as connection:
            yield connection
        return
    # By other names, for SQLite writes into the -shm file beside a log even when it only reads.
    with TemporaryDirectory(dir=os.path.dirname(path), prefix=CHECKS) as folder:
        other = os.path.join(folder, "database")
        for file, name in ((path, other), (left, f"{other}-wal")):
            if not link(file, name):
                shutil.copyfile(file, name)
        with closing(_read_only(other, "mode=ro")) as connection:
            yield connection


def _holds_something(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def _read_only(path: str, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?{how}", uri=True)


def _check(path: str, file: sqlite3.Connection, schema: str) -> None:
    (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DataUnusable(f"{path} is damaged ({' '.join(found.split())}); it was not touched: {_MOVE}")
    (version,) = file.execute("PRAGMA user_version").fetchone()
    (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and version != VERSION:
        raise DataUnusable(
            f"{path} has tables of version {version}, and this tcworker knows version {VERSION}; it was not touched: "
            f"use the tcworker that wrote it, or {_MOVE}"
        )
    if tables and (different := _differences(file, schema)):
        raise DataUnusable(
            f"{path} should have the tables of version {VERSION}, but {'; '.join(different)}; it was not touched: use "
            f"the tcworker that wrote it, or {_MOVE}"
        )


def _differences(file: sqlite3.Connection, schema: str) -> Sequence[str]:
    """Say how the tables of a file are not those of a schema; what else is there is nobody's business."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(KEYS + schema)
        wanted = _columns(fresh)
    found = _columns(file)
    return [
        *(f"table {table} is missing" for table in wanted if table not in found),
        *(
            f"table {table} has the columns {', '.join(found[table])} and not {', '.join(columns)}"
            for table, columns in wanted.items()
            if found.get(table, columns) != columns
        ),
    ]


def _columns(connection: sqlite3.Connection) -> Mapping[str, Sequence[str]]:
    query = (
        "SELECT tables.name, group_concat(columns.name) FROM sqlite_master AS tables, pragma_table_info(tables.name)"
        " AS columns WHERE tables.type = 'table' GROUP BY tables.name"
    )
    return {table: sorted(columns.split(",")) for table, columns in connection.execute(query)}


def connect(path: str, schema: str) -> Connection:
    """Open a database for writing, with its tables made. Raises L{DataUnusable}."""
    try:
        if path != ":memory:":
            # SQLite gives -wal and -shm the mode of the database: it has one before it holds any secret.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        connection = _open(path)
        connection.executescript(f"{_WRITING} BEGIN; {KEYS} {schema} PRAGMA user_version = {VERSION}; COMMIT;")
    except (sqlite3.Error, OSError) as error:
        raise DataUnusable(f"{path} cannot be opened ({error}); look after its disk and permissions") from error
    return connection


def reader(path: str) -> Connection:
    """Open a database for reading."""
    connection = _open(path)
    connection.executescript("PRAGMA query_only = 1; PRAGMA busy_timeout = 5000;")
    return connection


def _open(path: str) -> Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.row_factory = sqlite3.Row
    return connection
