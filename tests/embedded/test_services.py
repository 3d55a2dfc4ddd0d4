"""What all services have in common."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.database_file import DIGEST, KEYS
from tcworker.embedded.services import SCHEMA, SERVICES

FORGOTTEN_BY_TIDY = {"auth_clients"}


class Tables(SynchronousTestCase):
    def setUp(self) -> None:
        connection = self.enterContext(closing(sqlite3.connect(":memory:", isolation_level=None)))
        connection.row_factory = sqlite3.Row
        connection.executescript(KEYS + SCHEMA)
        self.query = connection.execute
        self.connection = connection

    def test_whatever_expires_is_deleted_by_somebody(self) -> None:
        asked: list[str] = []
        self.connection.set_trace_callback(asked.append)
        for job in (job for service in SERVICES for job in service.expired):
            job(self.connection, 1, 1)
        self.connection.set_trace_callback(None)
        deleted = {word for one in asked for word in re.findall(r"FROM (\w+) WHERE (?:expires|gone) <", one)}
        expiring = (
            "SELECT tables.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND columns.name = 'expires'"
        )
        # What waits for a worker goes with its task.
        alone = {row["name"] for row in self.query(expiring)} - {"pending"}
        self.assertEqual(alone - deleted, FORGOTTEN_BY_TIDY)

    def test_a_change_of_them_is_another_version(self) -> None:
        made = self.query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        digest = hashlib.sha256("\n".join(sorted(" ".join(sql.split()) for (sql,) in made)).encode()).hexdigest()
        self.assertEqual(digest, DIGEST, "tables have changed: raise VERSION in database_file.py, and put this there")
