"""Uploads that the queue or the storage refuses, or does not answer: how long they are tried."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from tcworker.errors import CallFailed, ResourceUnavailable, Unreachable
from tcworker.interfaces import LinkArtifact
from tcworker.testing.queue import Call
from tests.task.held import Held
from tests.task.publish_case import SIGNED, WHEN, PublishingTest, artifact


class Trouble(PublishingTest):
    """Refusals and outages."""

    def advance(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    def test_each_try_has_a_fresh_address_and_a_fresh_body(self) -> None:
        self.storage.answers = [
            (500, b""),
            Unreachable("PUT", "connection lost"),
            (403, b"<Error><Code>AccessDenied</Code></Error>"),
            (400, b"<Error><Code>RequestTimeout</Code></Error>"),
        ]
        publishing = self.publish(artifact("a.zip", b"content"))
        self.advance(120)
        self.successResultOf(publishing)
        self.assertEqual([put.url[-1] for put in self.storage.puts], ["1", "2", "3", "4", "5"])
        self.assertEqual({put.body for put in self.storage.puts}, {b"content"})

    def test_no_answer_of_a_storage_is_the_end_as_long_as_it_may_change(self) -> None:
        for answer in (307, 400, 403, 408, 429, 500, 502, 503, 504):
            self.storage.answers = [(answer, b"")]
            publishing = self.publish(artifact(f"{answer}.zip"))
            self.advance(2)
            self.successResultOf(publishing)

    def test_a_storage_that_leads_elsewhere_is_not_followed_and_given_up(self) -> None:
        self.storage.answers = [(307, b"")] * 100
        publishing = self.publish(artifact("a.zip"))
        self.advance(120)
        self.failureResultOf(publishing, ResourceUnavailable)
        self.assertEqual({put.url.partition("?")[0] for put in self.storage.puts}, {SIGNED.partition("?")[0]})

    def test_a_storage_that_never_takes_it_is_named_when_time_is_up(self) -> None:
        self.seconds_left = 60
        self.storage.answers = [(503, b"<Error><Code>SlowDown</Code></Error>")] * 100
        publishing = self.publish(artifact("a.zip"))
        self.advance(61)
        error = str(self.failureResultOf(publishing, ResourceUnavailable).value)
        self.assertIn("artifact a.zip", error)
        self.assertIn("503 SlowDown", error)
        self.assertIn("https://bucket.example.com/key", error)
        self.assertNotIn("topsecret", error)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def assert_taken_after(self, seconds: int, publishing: Deferred[None], well_again: Callable[[], None]) -> None:
        """Fail unless an outage of so many seconds is sat out."""
        self.seconds_left = 1e6
        self.advance(seconds)
        self.assertNoResult(publishing)
        well_again()
        self.advance(40)
        self.successResultOf(publishing)

    def test_a_storage_that_is_away_for_hours_is_waited_for_as_long_as_the_claim_is_kept(self) -> None:
        self.storage.answers = [(503, b"")] * 10_000
        self.assert_taken_after(10_000, self.publish(artifact("a.zip")), self.storage.answers.clear)

    def test_so_is_a_queue(self) -> None:
        self.queue.always("create_artifact", Unreachable("createArtifact", "connection refused"))
        publishing = self.publish(LinkArtifact("a", WHEN, "b", "text/plain"))
        self.assert_taken_after(10_000, publishing, lambda: self.queue.always("create_artifact", self.address))

    def test_a_last_try_is_made_just_before_the_time_is_over(self) -> None:
        self.seconds_left = 100
        self.storage.answers = [(503, b"")] * 100
        publishing = self.publish(artifact("a.zip"))
        self.advance(98)
        self.assertNoResult(publishing)
        self.storage.answers = []
        self.advance(1)
        self.successResultOf(publishing)

    def test_an_upload_that_does_not_end_ends_with_the_time(self) -> None:
        self.storage.hangs = True
        publishing = self.publish(artifact("a.zip"))
        self.clock.advance(3600)
        self.failureResultOf(publishing, ResourceUnavailable)

    def test_one_that_is_cut_off_says_what_the_try_before_failed_with(self) -> None:
        self.seconds_left = 60
        self.storage.answers = [(503, b"<Error><Code>SlowDown</Code></Error>")]
        publishing = self.publish(artifact("a.zip"))
        self.storage.hangs = True
        self.advance(61)
        failed: ResourceUnavailable = self.failureResultOf(publishing, ResourceUnavailable).value
        self.assertIn("no time is left; the last try failed: PUT https://bucket.example.com/key", str(failed))
        self.assertIn("503 SlowDown", failed.evidence["error"])
        self.assertNotIn("topsecret", str(failed))

    def test_compressing_ends_with_the_time_too(self) -> None:
        threads = Held()
        self.publisher = self.new_publisher(threads)
        publishing = self.publish(artifact("a.txt", os.urandom(300_000)))
        self.clock.advance(3600)
        # Not before its thread has: it would write to a file that is somebody else's by then.
        self.assertNoResult(publishing)
        threads.jobs.pop().callback(None)
        error = self.failureResultOf(publishing, ResourceUnavailable).value
        self.assertEqual(str(error), "artifact a.txt: no time is left")
        self.assertEqual((threads.jobs, self.declared(), self.clock.getDelayedCalls()), ([], [], []))

    def test_time_that_is_prolonged_counts(self) -> None:
        self.storage.hangs = True
        publishing = self.publish(artifact("a.zip"))
        self.clock.advance(3599)
        self.seconds_left += 3600
        self.advance(3599)
        self.assertNoResult(publishing)
        self.advance(2)
        self.failureResultOf(publishing, ResourceUnavailable)

    def test_time_that_is_shortened_counts(self) -> None:
        self.storage.hangs = True
        publishing = self.publish(artifact("a.zip"))
        self.seconds_left = 60
        self.advance(61)
        self.failureResultOf(publishing, ResourceUnavailable)

    def test_an_address_that_is_refused_for_ever(self) -> None:
        self.storage.answers = [(403, b"")] * 100
        publishing = self.publish(artifact("a.zip"))
        self.advance(120)
        self.failureResultOf(publishing, ResourceUnavailable)
        self.assertEqual(len(self.storage.puts), 5)

    def test_any_other_refusal_is_final(self) -> None:
        self.storage.answers = [(404, b"nobody knows <Code>NoSuchBucket</Code>")]
        # Trap 8: an upload that was not taken is never a success.
        self.assertIn("404 NoSuchBucket", self.refused(artifact("a.zip"), ResourceUnavailable))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_queue_that_is_away_for_a_while(self) -> None:
        errors: list[Exception] = [CallFailed("createArtifact", 503, "", "no"), Unreachable("createArtifact", "no")]
        self.queue.always("create_artifact", lambda call: self.raise_first(errors, call))
        publishing = self.publish(LinkArtifact("a", WHEN, "b", "text/plain"))
        self.advance(30)
        self.successResultOf(publishing)

    def test_a_queue_that_has_no_time_for_it(self) -> None:
        errors: list[Exception] = [CallFailed("createArtifact", status, "", "later") for status in (408, 429)]
        self.queue.always("create_artifact", lambda call: self.raise_first(errors, call))
        publishing = self.publish(artifact("a.zip"))
        self.advance(5)
        self.successResultOf(publishing)

    def test_a_queue_that_nobody_reaches_is_no_success(self) -> None:
        self.queue.always("create_artifact", Unreachable("createArtifact", "connection refused"))
        publishing = self.publish(artifact("a"))
        self.advance(3600)
        self.assertIn("connection refused", str(self.failureResultOf(publishing, ResourceUnavailable).value))

    def raise_first(self, errors: list[Exception], call: Call) -> Any:
        if errors:
            raise errors.pop(0)
        return self.address(call)

    def test_a_queue_that_refuses(self) -> None:
        self.queue.always("create_artifact", CallFailed("createArtifact", 403, "InsufficientScopes", "no"))
        self.assertIn("InsufficientScopes", self.refused(artifact("a"), ResourceUnavailable))

    def test_giving_up(self) -> None:
        self.storage.answers = [(503, b"")] * 100
        publishing = self.publish(artifact("a.zip"))
        publishing.cancel()
        self.failureResultOf(publishing)
        self.assertEqual(self.clock.getDelayedCalls(), [])
