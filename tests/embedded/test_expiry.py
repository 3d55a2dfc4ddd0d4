"""What has expired is deleted."""

from __future__ import annotations

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import expiry
from tcworker.embedded.expiry import deletion
from tests.embedded.objects.case import ObjectsTestCase
from tests.embedded.queue.artifact_case import ArtifactsTestCase
from tests.embedded.wire import WireTestCase

HOUR = 60 * 60


class OfArtifacts(ArtifactsTestCase):
    def files(self) -> int:
        return len(os.listdir(os.path.join(self.folder, "artifacts")))

    def names(self) -> list[str]:
        return [one["name"] for one in self.get(f"{self.run_path}/artifacts").json["artifacts"]]

    def test_an_hour_after_they_expired_with_their_contents(self) -> None:
        self.put(self.make("a")["putUrl"], b"hello")
        self.put(self.make("b", expires=self.date(hours=20))["putUrl"], b"hello")
        self.reactor.advance(0.5 * HOUR + 1)
        self.assertEqual((self.names(), self.files()), (["a", "b"], 2))
        self.reactor.pump([HOUR / 2, HOUR / 2])
        self.assertEqual((self.names(), self.files()), (["b"], 1))

    def test_gone_until_then_and_not_found_afterwards(self) -> None:
        self.make("public/a", "reference")
        path = f"{self.run_path}/artifacts/public/a"
        self.reactor.advance(HOUR / 2 + 1)
        self.assertEqual(self.get(path).status, 410)
        self.reactor.pump([HOUR / 2, HOUR / 2])
        self.assertEqual(self.get(path).status, 404)

    def test_however_many_there_are(self) -> None:
        self.patch(expiry, "ROWS_AT_ONCE", 2)
        for name in "abcde":
            self.make(name, "reference")
        self.reactor.pump([HOUR / 2, HOUR / 2, HOUR / 2])
        self.assertEqual(self.names(), [])

    def test_those_too_that_expired_while_nobody_looked(self) -> None:
        self.put(self.make("a")["putUrl"], b"hello")
        self.stop(self.taskcluster)
        self.reactor.advance(2 * HOUR)
        self.start()
        self.assertEqual(self.files(), 0)

    def test_a_failure_is_told_and_the_next_time_it_goes_on(self) -> None:
        self.put(self.make("a")["putUrl"], b"hello")
        uploads, elsewhere = os.path.join(self.folder, "artifacts"), os.path.join(self.folder, "elsewhere")
        os.rename(uploads, elsewhere)
        with open(uploads, "w"):
            self.reactor.pump([HOUR / 2, HOUR / 2, HOUR / 2])
        self.assertEqual(len(self.flushLoggedErrors(NotADirectoryError)), 1)
        os.unlink(uploads)
        os.rename(elsewhere, uploads)
        self.reactor.advance(HOUR / 2)
        self.assertEqual(self.files(), 0)


class OfObjects(ObjectsTestCase):
    def files(self) -> int:
        return len(os.listdir(os.path.join(self.folder, "artifacts")))

    def test_an_hour_after_they_expired_with_their_contents(self) -> None:
        self.upload()
        self.reactor.advance(10 * 24 * HOUR)
        self.assertEqual(self.files(), 1)
        self.reactor.pump([HOUR / 2, HOUR / 2])
        self.assertEqual(self.files(), 0)

    def test_uploads_that_nobody_finished(self) -> None:
        self.put(self.put_url(), b"hello")
        self.reactor.pump([HOUR] * 26)
        self.assertEqual(self.files(), 0)


class Deletion(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.addCleanup(self.connection.close)
        self.connection.execute("CREATE TABLE things (a TEXT, b TEXT, expires INTEGER, PRIMARY KEY (a, b))")
        rows = [("x", str(number), number * 10) for number in range(5)]
        self.connection.executemany("INSERT INTO things VALUES (?, ?, ?)", rows)

    def left(self) -> list[str]:
        return [b for (b,) in self.connection.execute("SELECT b FROM things ORDER BY b")]

    def test_only_what_has_expired(self) -> None:
        self.assertEqual(deletion("things", "a, b")(self.connection, 20, 100), 2)
        self.assertEqual(self.left(), ["2", "3", "4"])

    def test_so_many_at_a_time(self) -> None:
        job = deletion("things", "a, b")
        self.assertEqual([job(self.connection, 1000, 2) for _ in range(4)], [2, 2, 1, 0])

    def test_some_time_after_its_end(self) -> None:
        self.assertEqual(deletion("things", "a, b", longer=25)(self.connection, 30, 100), 1)
        self.assertEqual(self.left(), ["1", "2", "3", "4"])


class OfServices(WireTestCase):
    def test_nothing_is_left_of_what_has_expired(self) -> None:
        self.fill()
        self.assertEqual(self.rows(), 5)
        self.reactor.pump([1800] * 5)
        self.assertEqual(self.rows(), 5)
        # Namespaces last until the end of the day, and one more.
        self.reactor.pump([1800] * 48 * 3)
        self.assertEqual(self.rows(), 0)

    def fill(self) -> None:
        later = self.date(hours=3)
        self.call("PUT", "/api/secrets/v1/secret/x", {"secret": {}, "expires": later})
        self.call("POST", "/api/purge-cache/v1/purge-cache/prov/type", {"cacheName": "x"})
        entry = {"taskId": "fN1SbArXTPSVFNUvaOlinQ", "rank": 0, "data": {}, "expires": later}
        self.call("PUT", "/api/index/v1/task/a.b.c", entry)

    def rows(self) -> int:
        """Count the rows of all tables that these services clear."""
        connection = sqlite3.connect(f"{self.folder}/taskcluster.db")
        self.addCleanup(connection.close)
        tables = ("secrets", "purge_requests", "indexed_tasks", "index_namespaces")
        return sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
