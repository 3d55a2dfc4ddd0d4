"""The folder that outlives a worker: who holds it, who may read it, and the database in it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from dataclasses import dataclass

from tcworker.errors import StateDirectoryTaken, StateUnusable

DATABASE, LOCK = "state.db", "lock"

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
)
"""What makes each version of the tables of the one before, the first of nothing.

Those of a release stay as they are: another shape is another script."""


@dataclass
class StateFolder:
    """An open state directory; all of it blocks, for one thread at a time."""

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
            return cls(_open_database(os.path.join(folder, DATABASE)), lock)
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
    file = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # The kernel takes it back from a dead process, so that no lock is ever left behind.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Who holds the lock has written it, or is about to.
        pid = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        raise StateDirectoryTaken(
            f"{folder} is in use by the worker with process id {pid or 'unknown'}; stop it or name another stateDir"
        ) from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file


def _open_database(path: str) -> sqlite3.Connection:
    # SQLite gives its -wal and -shm files the mode of the database, so that one has it before it holds anything.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    os.chmod(path, 0o600)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database)
    except sqlite3.DatabaseError as error:
        # Made anew without a word, it would forget what is owed to the queue.
        database.close()
        raise StateUnusable(f"{path} cannot be read ({error}); move it away to start anew") from error
    except StateUnusable:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    # What was written survives the death of the process at any moment; only a dead machine may lose the last of it.
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA foreign_keys = ON")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(SCRIPTS):
        raise StateUnusable(
            f"the state directory was written by a newer tcworker (version {version} of its tables, this one knows"
            f" {len(SCRIPTS)}); use that tcworker or name another stateDir"
        )
    if version < len(SCRIPTS):
        missing = "".join(SCRIPTS[version:])
        # In one transaction: whoever dies in the middle has changed nothing.
        database.executescript(f"BEGIN IMMEDIATE; {missing} PRAGMA user_version = {len(SCRIPTS)}; COMMIT;")
