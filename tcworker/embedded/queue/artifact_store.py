"""Artifacts in the database: reading and writing them, and no rules."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tcworker.embedded import contents, dates, rows
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS artifacts (
    task_id TEXT NOT NULL, run_id INTEGER NOT NULL, name TEXT NOT NULL, storage_type TEXT NOT NULL,
    content_type TEXT NOT NULL, content_length INTEGER, expires INTEGER NOT NULL, details TEXT NOT NULL,
    PRIMARY KEY (task_id, run_id, name)
);
CREATE INDEX IF NOT EXISTS artifacts_by_expiry ON artifacts (expires);
"""

_THIS = "task_id = ? AND run_id = ? AND name = ?"


@dataclass(frozen=True)
class Artifact:
    """An artifact of a run.

    @ivar content_length: as its creator said; C{None} when they did not.
    @ivar expires: in milliseconds.
    @ivar details: what only its storage type has: C{url}, C{artifact}, C{reason} and C{message}, or of an object
        C{projectId}, C{uploadId}, and C{finished} once it is.
    """

    task_id: str
    run_id: int
    name: str
    storage_type: str
    content_type: str
    content_length: int | None
    expires: int
    details: Mapping[str, JSON]

    @property
    def present(self) -> bool:
        """Whether it is there for those who look for it."""
        return self.storage_type != "object" or "finished" in self.details

    @property
    def key(self) -> str:
        """By which the content of one in C{s3} is kept."""
        return f"artifacts/{self.task_id}/{self.run_id}/{self.name}"

    @property
    def object_name(self) -> str:
        """What the object service knows it by."""
        return f"t/{self.task_id}/{self.run_id}/{self.name}"

    def to_json(self) -> JSON:
        """Give it as lists show it."""
        length = {} if self.content_length is None else {"contentLength": self.content_length}
        return {
            "storageType": self.storage_type,
            "name": self.name,
            "expires": dates.write(self.expires),
            "contentType": self.content_type,
            **length,
        }


class ArtifactStore:
    """The artifacts within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._run = connection.execute

    def find(self, task_id: str, run_id: int, name: str) -> Artifact | None:
        """Give an artifact; C{None} when there is none."""
        row = self._run(f"SELECT * FROM artifacts WHERE {_THIS}", (task_id, run_id, name)).fetchone()
        return _artifact(row) if row else None

    def put(self, artifact: Artifact) -> None:
        """Keep an artifact, in place of one of the same name."""
        rows.put(self._connection, "artifacts", {**vars(artifact), "details": json.dumps(artifact.details)})

    def of_run(self, task_id: str, run_id: int, after: str, most: int) -> Sequence[Artifact]:
        """Give artifacts of a run in the order of their names, those after a name only."""
        query = "SELECT * FROM artifacts WHERE task_id = ? AND run_id = ? AND name > ? ORDER BY name LIMIT ?"
        return [_artifact(row) for row in self._run(query, (task_id, run_id, after, most))]


def expire(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete those that expired before a date, so many at the most, with their contents; gives how many."""
    query = "SELECT * FROM artifacts WHERE expires < ? ORDER BY expires LIMIT ?"
    expired = [_artifact(row) for row in connection.execute(query, (before, most))]
    for artifact in expired:
        contents.forget(connection, artifact.key)
    names = [(artifact.task_id, artifact.run_id, artifact.name) for artifact in expired]
    connection.executemany(f"DELETE FROM artifacts WHERE {_THIS}", names)
    return len(expired)


def _artifact(row: sqlite3.Row) -> Artifact:
    return rows.read(Artifact, row, details=json.loads(row["details"]))
