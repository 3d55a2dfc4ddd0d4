"""What the index knows: which task is at which path, and which namespaces there are (contracts of the queue, 5)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tcworker.embedded import dates, rows
from tcworker.embedded.expiry import deletion
from tcworker.interfaces import JSON

# The rank is a number of any kind, and stays of its kind.
SCHEMA = """
CREATE TABLE IF NOT EXISTS indexed_tasks (
    namespace TEXT NOT NULL, name TEXT NOT NULL, task_id TEXT NOT NULL, rank NOT NULL, data TEXT NOT NULL,
    expires INTEGER NOT NULL, PRIMARY KEY (namespace, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS indexed_tasks_by_end ON indexed_tasks (expires);
CREATE TABLE IF NOT EXISTS index_namespaces (
    parent TEXT NOT NULL, name TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (parent, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS index_namespaces_by_end ON index_namespaces (expires);
"""

EXPIRED = (deletion("indexed_tasks", "namespace, name"), deletion("index_namespaces", "parent, name"))


@dataclass(frozen=True)
class Indexed:
    """A task at a path.

    @ivar path: the last word is its name, the others are its namespace.
    @ivar rank: the task with the highest one is at the path.
    @ivar expires: in milliseconds.
    """

    path: str
    task_id: str
    rank: float
    data: JSON
    expires: int

    def to_json(self) -> JSON:
        """Give it as it is answered."""
        return {
            "namespace": self.path,
            "taskId": self.task_id,
            "rank": self.rank,
            "data": self.data,
            "expires": dates.write(self.expires),
        }


def split(path: str) -> tuple[str, str]:
    """Give namespace and name; the namespace of a single word is the empty one."""
    namespace, _, name = path.rpartition(".")
    return namespace, name


def _join(namespace: str, name: str) -> str:
    return f"{namespace}.{name}" if namespace else name


def put(connection: sqlite3.Connection, task: Indexed) -> Indexed:
    """Put a task at a path, unless one of higher rank is there; gives the one that is there then."""
    namespace, name = split(task.path)
    known = _find(connection, namespace, name)
    if known is not None and known.rank > task.rank:
        return known
    said = {"task_id": task.task_id, "rank": task.rank, "data": json.dumps(task.data), "expires": task.expires}
    rows.put(connection, "indexed_tasks", {"namespace": namespace, "name": name, **said})
    # Until the day is over, so that not each task changes all that are above it.
    _keep_namespaces(connection, namespace, min((task.expires // dates.DAY + 1) * dates.DAY, dates.LAST))
    return task


def _keep_namespaces(connection: sqlite3.Connection, namespace: str, expires: int) -> None:
    longer = "DO UPDATE SET expires = max(expires, excluded.expires)"
    statement = f"INSERT INTO index_namespaces (parent, name, expires) VALUES (?, ?, ?) ON CONFLICT {longer}"
    while namespace:
        parent, name = split(namespace)
        connection.execute(statement, (parent, name, expires))
        namespace = parent


def find(connection: sqlite3.Connection, path: str, now: int) -> Indexed | None:
    """Give the task at a path, unless its time there is over."""
    found = _find(connection, *split(path))
    return found if found is not None and found.expires > now else None


def _find(connection: sqlite3.Connection, namespace: str, name: str) -> Indexed | None:
    query = "SELECT * FROM indexed_tasks WHERE namespace = ? AND name = ?"
    row = connection.execute(query, (namespace, name)).fetchone()
    return _indexed(row) if row else None


def find_some(
    connection: sqlite3.Connection, paths: Iterable[str], now: int, limit: int, after: str
) -> Sequence[tuple[str, JSON]]:
    """Give the tasks at some of these paths, in order of the paths, one more than wanted if there are more."""
    found: list[tuple[str, JSON]] = []
    for path in sorted(set(paths)):
        # The real one looks for paths of two words and more.
        task = find(connection, path, now) if path > after and "." in path else None
        if task is not None:
            found.append((path, task.to_json()))
        if len(found) > limit:
            break
    return found


def remove(connection: sqlite3.Connection, path: str) -> None:
    """Leave nothing at a path."""
    connection.execute("DELETE FROM indexed_tasks WHERE namespace = ? AND name = ?", split(path))


def tasks(
    connection: sqlite3.Connection, namespace: str, now: int, limit: int, after: str
) -> Sequence[tuple[str, JSON]]:
    """Give the tasks of a namespace by their names, one more than wanted if there are more."""
    found = _unexpired(connection, "indexed_tasks WHERE namespace = ?", (namespace, after, now, limit + 1))
    return [(row["name"], _indexed(row).to_json()) for row in found]


def namespaces(
    connection: sqlite3.Connection, parent: str, now: int, limit: int, after: str
) -> Sequence[tuple[str, JSON]]:
    """Give the namespaces in a namespace by their names, one more than wanted if there are more."""
    found = _unexpired(connection, "index_namespaces WHERE parent = ?", (parent, after, now, limit + 1))
    return [(row["name"], _namespace(row)) for row in found]


def _unexpired(connection: sqlite3.Connection, place: str, values: tuple[str, str, int, int]) -> sqlite3.Cursor:
    """Find by name what is in a place: after which name, unexpired at which time, at the most how many."""
    query = f"SELECT * FROM {place} AND name > ? AND expires > ? ORDER BY name LIMIT ?"
    return connection.execute(query, values)


def _indexed(row: sqlite3.Row) -> Indexed:
    return rows.read(Indexed, row, path=_join(row["namespace"], row["name"]), data=json.loads(row["data"]))


def _namespace(row: sqlite3.Row) -> JSON:
    path = _join(row["parent"], row["name"])
    return {"namespace": path, "name": row["name"], "expires": dates.write(row["expires"])}
