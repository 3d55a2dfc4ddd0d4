"""What has expired is deleted."""

from __future__ import annotations

import os

from tcworker.embedded import expiry
from tests.embedded.objects.case import ObjectsTestCase
from tests.embedded.queue.test_artifacts import ArtifactsTestCase

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
        self.patch(expiry, "AT_ONCE", 2)
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
