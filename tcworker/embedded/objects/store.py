"""Objects in the database: reading and writing them, and no rules."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from tcworker.embedded import contents, rows

SCHEMA = """
CREATE TABLE IF NOT EXISTS stored_objects (
    name TEXT PRIMARY KEY, project_id TEXT NOT NULL, upload_id TEXT NOT NULL, expires INTEGER NOT NULL,
    hashes TEXT NOT NULL, finished INTEGER NOT NULL, gone INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stored_objects_by_end ON stored_objects (gone);
"""


@dataclass(frozen=True)
class StoredObject:
    """An object, or what is to become one; dates in milliseconds.

    @ivar upload_id: of the one upload that may become this object.
    @ivar hashes: by algorithm, as the uploader said.
    @ivar gone: when it is not there any more: an upload that is not finished has a day.
    """

    name: str
    project_id: str
    upload_id: str
    expires: int
    hashes: Mapping[str, str]
    finished: bool
    gone: int


def key_of(name: str) -> str:
    """Give the key by which an object's content is kept."""
    return f"objects/{name}"


def find(connection: sqlite3.Connection, name: str, now: int) -> StoredObject | None:
    """Give an object, whether it is finished or not; C{None} when there is none at that time."""
    query = "SELECT * FROM stored_objects WHERE name = ? AND gone > ?"
    row = connection.execute(query, (name, now)).fetchone()
    return _stored(row) if row else None


def add(connection: sqlite3.Connection, stored: StoredObject) -> None:
    """Keep a new object, in place of one of that name that is gone."""
    contents.forget(connection, key_of(stored.name))
    change(connection, stored)


def change(connection: sqlite3.Connection, stored: StoredObject) -> None:
    """Keep what became of an object."""
    rows.put(connection, "stored_objects", {**vars(stored), "hashes": json.dumps(stored.hashes)})


def expire(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete those that were gone before a date, so many at the most, with their contents; gives how many."""
    query = "SELECT name FROM stored_objects WHERE gone < ? ORDER BY gone LIMIT ?"
    names = [row[0] for row in connection.execute(query, (before, most))]
    for name in names:
        contents.forget(connection, key_of(name))
    connection.executemany("DELETE FROM stored_objects WHERE name = ?", [(name,) for name in names])
    return len(names)


def _stored(row: sqlite3.Row) -> StoredObject:
    return rows.read(StoredObject, row, hashes=json.loads(row["hashes"]), finished=bool(row["finished"]))
