"""Content that is published again and again."""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred

from tcworker.client.http import HTTP
from tcworker.errors import CallFailed, MalformedPayload
from tcworker.interfaces import GzippedArtifact
from tcworker.task.put import Refused
from tcworker.task.republish import Republisher
from tests.task.publish_case import EXPIRES, WHEN, PublishingTest, file


class Again(PublishingTest):
    """One after the other, under one name."""

    def setUp(self) -> None:
        super().setUp()
        self.republisher = Republisher(cast(HTTP, self.storage), self.new_run())

    def again(self, content: bytes) -> Deferred[None]:
        artifact = GzippedArtifact("a/checkpoint.log", WHEN, file(content), "text/plain", 7)
        return Deferred.fromCoroutine(self.republisher.publish(artifact))

    def test_each_takes_the_place_of_the_one_before(self) -> None:
        for content in (b"one", b"two"):
            self.successResultOf(self.again(content))
        self.assertEqual([put.body for put in self.storage.puts], [b"one", b"two"])
        self.assertEqual({put.headers["Content-Encoding"] for put in self.storage.puts}, {"gzip"})
        # In all of this they must be alike, or the queue would refuse the second.
        first, second = self.declared()
        self.assertEqual(first, second)
        self.assertEqual(first[0], "a/checkpoint.log")
        self.assertEqual(
            (first[1]["storageType"], first[1]["contentType"], first[1]["expires"]), ("s3", "text/plain", EXPIRES)
        )

    def test_what_fails_is_not_tried_again(self) -> None:
        self.storage.answers = [(503, b"")]
        self.failureResultOf(self.again(b"one"), Refused)
        self.queue.always("create_artifact", CallFailed("createArtifact", 500, "InternalServerError", "away"))
        self.failureResultOf(self.again(b"two"), CallFailed)
        self.assertEqual((len(self.storage.puts), self.clock.getDelayedCalls()), (1, []))

    def test_a_name_that_is_taken(self) -> None:
        self.queue.always("create_artifact", CallFailed("createArtifact", 409, "RequestConflict", "taken"))
        self.failureResultOf(self.again(b"one"), MalformedPayload)

    def test_what_was_declared_before_the_run_was_over_may_come_after_it(self) -> None:
        self.storage.answers = [(503, b"")]
        self.failureResultOf(self.again(b"one"), Refused)
        self.queue.always("create_artifact", CallFailed("createArtifact", 409, "RequestConflict", "it is over"))
        self.successResultOf(self.again(b"two"))
        first, second = self.storage.puts
        self.assertEqual((first.url, second.body), (second.url, b"two"))
