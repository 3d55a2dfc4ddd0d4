"""Files that are published when the worker must go."""

from __future__ import annotations

import gzip
import os

from twisted.web.iweb import IBodyProducer

from tcworker.errors import ResourceUnavailable, TooLate
from tcworker.filebody import DescriptorFile
from tcworker.interfaces import FileArtifact, GzippedArtifact
from tcworker.task import speed
from tests.task.publish_case import WHEN, PublishingTest, artifact, file


class InHaste(PublishingTest):
    """A worker that must go in ten seconds; it has measured a thousand bytes a second."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(speed, "ASSUMED", 1000.0)

    def test_one_that_fits_is_published(self) -> None:
        self.haste.begin(10.0)
        self.published(artifact("a.zip", b"x" * 5000))
        self.assertEqual(len(self.storage.puts), 1)

    def test_one_that_does_not_is_not_even_declared_so_that_an_error_can_be_in_its_place(self) -> None:
        self.haste.begin(10.0)
        self.assertIn("would take 6 s", self.refused(artifact("a.zip", b"x" * 6000), TooLate))
        self.assertEqual(self.declared(), [])

    def test_the_log_is_always_tried(self) -> None:
        self.haste.begin(1.0)
        self.published(GzippedArtifact("log", WHEN, file(gzip.compress(os.urandom(10_000))), "text/plain", 10_000))

    def test_small_ones_do_not_wait_for_those_that_are_on_their_way(self) -> None:
        self.storage.hangs = True
        for number in range(5):
            self.publish(artifact(f"{number}.zip")).addErrback(lambda _: None)
        self.assertEqual(len(self.storage.hanging), 2)
        self.storage.hangs = False
        self.haste.begin(10.0)
        self.published(artifact("small.zip"))

    def test_one_that_the_storage_does_not_take_for_now_is_for_another_worker(self) -> None:
        self.haste.begin(10.0)
        self.storage.answers = [(503, b"")] * 10
        publishing = self.publish(artifact("a.zip"))
        self.clock.pump([0.5] * 10)
        self.assertIn("503", str(self.failureResultOf(publishing, TooLate).value))

    def test_one_that_it_refuses_is_not(self) -> None:
        self.haste.begin(10.0)
        self.storage.answers = [(404, b"")]
        self.refused(artifact("a.zip"), ResourceUnavailable)

    def test_one_in_the_middle_ends_when_its_rest_would_take_too_long(self) -> None:
        path = os.path.join(self.folder, "a.zip")
        with open(path, "wb") as made:
            made.write(bytes(200_000))
        large = DescriptorFile(path, os.open(path, os.O_RDONLY))
        opening = large.open

        def begin_then() -> IBodyProducer:
            self.haste.begin(10.0)
            return opening()

        large.open = begin_then  # type: ignore[method-assign]  # of this one only
        self.assertIn("it would take", self.refused(FileArtifact("a.zip", WHEN, large), TooLate))
        self.assertEqual(self.storage.puts, [])

    def test_one_that_has_the_time_after_the_report_is_tried_after_all(self) -> None:
        self.haste.begin(10.0)
        large = artifact("a.zip", b"x" * 8000)
        self.refused(large, TooLate)
        self.haste.report_first()
        self.published(large)
