"""The folder that outlives a worker: who holds it, who may read it, and the database in it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from dataclasses import dataclass

from tcworker import folder_lock
from tcworker.errors import StateDirectoryTaken, StateUnusable
from tcworker.folder_lock import LOCK, FolderTaken

DATABASE = "state.db"

SCRIPTS = (
    """
CREATE TABLE runs (
    task_id TEXT NOT NULL, run_id INTEGER NOT NULL,
    taken_until TEXT NOT NULL,
    credentials TEXT NOT NULL,
    sandbox TEXT,
    state TEXT, reason TEXT,
    reported INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (task_id, run_id)
);
CREATE TABLE owed_artifacts (
    task_id TEXT NOT NULL, run_id INTEGER NOT NULL, name TEXT NOT NULL,
    artifact TEXT NOT NULL,
    file TEXT,
    PRIMARY KEY (task_id, run_id, name),
    FOREIGN KEY (task_id, run_id) REFERENCES runs ON DELETE CASCADE
);
CREATE TABLE caches (
    id INTEGER PRIMARY KEY,
    platform TEXT NOT NULL, name TEXT NOT NULL, folder TEXT NOT NULL,
    created TEXT NOT NULL, used TEXT NOT NULL, size INTEGER,
    task_id TEXT, run_id INTEGER
);
CREATE INDEX caches_by_name ON caches (platform, name);
CREATE TABLE downloads (
    source TEXT PRIMARY KEY, path TEXT NOT NULL,
    sha256 TEXT, size INTEGER NOT NULL,
    created TEXT NOT NULL, used TEXT NOT NULL
);
CREATE TABLE registration (
    worker TEXT PRIMARY KEY, credentials TEXT NOT NULL,
    expires TEXT, secret TEXT, details TEXT NOT NULL
);
""",
    """
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
""",
    """
DROP TABLE caches;
DROP TABLE downloads;
CREATE TABLE caches (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, platform TEXT NOT NULL, name TEXT NOT NULL,
    details TEXT NOT NULL, facts TEXT NOT NULL,
    created REAL NOT NULL, used REAL NOT NULL, seconds REAL NOT NULL,
    size INTEGER NOT NULL,
    run TEXT,
    purged INTEGER NOT NULL
);
CREATE TABLE boots (id TEXT NOT NULL);
CREATE TABLE moments (name TEXT PRIMARY KEY, seconds REAL NOT NULL);
""",
)
"""What makes each version of the tables of the one before, the first of nothing.

Those of a release stay as they are: another shape is another script."""


PAGE = 4096
"""Bytes of a page of the database."""

LOG_PAGES = 500
"""How long the log of changes gets before it is begun anew: it must have the room for so many, and keeps it."""

_LOCKED = "another program (a sqlite3 shell, a backup) holds it: end that and start the worker again"
_DISK = "look after its disk and the permissions there, and start the worker again; the file itself may be fine"

_TODO = {
    sqlite3.SQLITE_FULL: "make room on its disk and start the worker again; the file itself is fine",
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_READONLY: _DISK,
    sqlite3.SQLITE_CANTOPEN: _DISK,
}
"""What to do about kinds of errors that are not the file's own."""


@dataclass
class StateFolder:
    """An open state directory; all of it blocks, for one thread at a time.

    @ivar path: of the database.
    @ivar lock: an open file.
    """

    path: str
    database: sqlite3.Connection
    lock: int

    @classmethod
    def open(cls, folder: str) -> StateFolder:
        """Make the folder if need be, lock it and open its database.

        Raises L{StateDirectoryTaken}, L{StateUnusable} or C{OSError}.
        """
        _make_private(folder)
        lock = _lock(folder)
        try:
            path = os.path.join(folder, DATABASE)
            return cls(path, _open_database(path), lock)
        except BaseException:
            os.close(lock)
            raise

    def close(self) -> None:
        """Close the database, then give the folder up."""
        self.database.close()
        os.close(self.lock)


def _make_private(folder: str) -> None:
    os.makedirs(folder, 0o700, exist_ok=True)
    # Credentials are in it, and the logs of tasks.
    if not stat.S_IMODE(os.stat(folder).st_mode) & 0o077:
        return
    there = os.listdir(folder)
    # Closing somebody's shared folder (/tmp, /var/lib) to all others would do more harm than good.
    if there and LOCK not in there:
        raise StateUnusable(f"{folder} holds files of others; name a folder of the worker's own as stateDir")
    os.chmod(folder, 0o700)


def _lock(folder: str) -> int:
    try:
        return folder_lock.take(folder)
    except FolderTaken as taken:
        raise StateDirectoryTaken(
            f"{folder} is in use by the worker with process id {taken.pid}; stop it or name another stateDir"
        ) from None


def _open_database(path: str) -> sqlite3.Connection:
    # SQLite gives its -wal and -shm files the mode of the database, so that one has it before it holds anything.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    os.chmod(path, 0o600)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # Bytes that are no text make the row unreadable that has them, and not all rows.
    database.text_factory = _text_or_bytes
    try:
        _prepare(database, path)
    except sqlite3.DatabaseError as error:
        database.close()
        raise unusable(path, error) from error
    except StateUnusable:
        database.close()
        raise
    return database


def unusable(path: str, error: sqlite3.DatabaseError) -> StateUnusable:
    """Say what to do about a database that SQLite cannot open or read."""
    # The lower byte is the kind, the upper ones say more.
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    # Made anew without a word, it would forget what is owed to the queue.
    todo = _TODO.get(kind, "move it away (with -wal and -shm) to start anew; what it owes the queue is then forgotten")
    return StateUnusable(f"{path} cannot be used ({error}); {todo}")


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def _prepare(database: sqlite3.Connection, path: str) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    # What was written survives the death of the process at any moment; only a dead machine may lose the last of it.
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA foreign_keys = ON")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(SCRIPTS):
        raise StateUnusable(
            f"{path} was written by a newer tcworker (version {version} of its tables, this one knows"
            f" {len(SCRIPTS)}); use that tcworker or name another stateDir"
        )
    if version < len(SCRIPTS):
        missing = "".join(SCRIPTS[version:])
        # In one transaction: whoever dies in the middle has changed nothing.
        database.executescript(f"BEGIN IMMEDIATE; {missing} PRAGMA user_version = {len(SCRIPTS)}; COMMIT;")
    _reserve_room(database)


def _reserve_room(database: sqlite3.Connection) -> None:
    """Take what later changes need of the disk, which tasks may fill: log and tables have been so large once.

    It can be done without, and whatever else is wrong is told by the first who reads.
    """
    with suppress(sqlite3.Error):
        # A table that is full and gone leaves its pages; within one transaction they would not even be written.
        database.execute("CREATE TABLE IF NOT EXISTS reserved (room BLOB)")
        database.execute("INSERT INTO reserved VALUES (zeroblob(?))", (LOG_PAGES * PAGE,))
    with suppress(sqlite3.Error):
        database.execute("DROP TABLE IF EXISTS reserved")
