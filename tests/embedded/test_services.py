"""What all services have in common."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.database_file import DIGEST, KEYS
from tcworker.embedded.services import SCHEMA


class Tables(SynchronousTestCase):
    def test_a_change_of_them_is_another_version(self) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(KEYS + SCHEMA)
            made = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        digest = hashlib.sha256("\n".join(sorted(" ".join(sql.split()) for (sql,) in made)).encode()).hexdigest()
        self.assertEqual(digest, DIGEST, "tables have changed: raise VERSION in database_file.py, and put this there")
