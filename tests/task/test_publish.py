"""Artifacts on their way out: what the queue and the storage are told."""

from __future__ import annotations

import gzip
import os
from typing import Any

from twisted.internet.defer import CancelledError

from tcworker.client.bodies import BytesBody
from tcworker.client.http import Answer
from tcworker.errors import ArchiveError, CallFailed, MalformedPayload, NamingConflict, ResourceUnavailable
from tcworker.filebody import MemoryFile
from tcworker.interfaces import ErrorArtifact, FileArtifact, GzippedArtifact, LinkArtifact, ReferenceArtifact
from tests.task.publish_case import EXPIRES, SIGNED, WHEN, PublishingTest, artifact, file, raise_not_readable


class Content(PublishingTest):
    """Files to S3."""

    def test_a_text_is_compressed_on_its_way(self) -> None:
        self.published(artifact("public/a.txt", b"hello"))
        (call,) = self.queue.made("create_artifact")
        self.assertEqual(
            call.args,
            (
                "task",
                0,
                "public/a.txt",
                {
                    "storageType": "s3",
                    "contentType": "text/plain; charset=utf-8",
                    "contentLength": 5,
                    "expires": EXPIRES,
                },
            ),
        )
        (put,) = self.storage.puts
        self.assertEqual(put.headers, {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"})
        self.assertEqual(gzip.decompress(put.body), b"hello")

    def test_the_gzip_header_carries_the_base_file_name(self) -> None:
        self.published(FileArtifact("public/a", WHEN, file(b"hello", "build/out.txt")))
        (put,) = self.storage.puts
        self.assertEqual(put.body[3] & 8, 8)
        self.assertEqual(put.body[10 : put.body.index(b"\0", 10)], b"out.txt")

    def test_the_path_counts_and_where_it_says_no_type_the_name(self) -> None:
        for path, name, kind, encoding in (
            ("a.zip", "b.txt", "application/zip", "identity"),
            ("a", "b.png", "image/png", "gzip"),
            ("a", "b", "application/octet-stream", "gzip"),
        ):
            self.published(FileArtifact(f"{path}/{name}", WHEN, file(path=path)))
            headers = self.storage.puts.pop().headers
            self.assertEqual(headers, {"Content-Type": kind, "Content-Encoding": encoding})

    def test_what_is_compressed_already_goes_as_it_is(self) -> None:
        self.published(artifact("public/a.zip", b"hello"))
        (put,) = self.storage.puts
        self.assertEqual((put.headers["Content-Encoding"], put.body), ("identity", b"hello"))

    def test_the_payload_may_say_it_otherwise(self) -> None:
        self.published(artifact("a.txt", content_type="text/x-own", content_encoding="identity"))
        (put,) = self.storage.puts
        self.assertEqual(put.headers, {"Content-Type": "text/x-own", "Content-Encoding": "identity"})

    def test_a_large_file_leaves_nothing_behind(self) -> None:
        content = os.urandom(300_000)
        self.published(artifact("a.bin", content))
        self.assertEqual(gzip.decompress(self.storage.puts[0].body), content)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_log_goes_with_the_length_that_it_had(self) -> None:
        log = GzippedArtifact("log", WHEN, file(gzip.compress(b"hello")), "text/plain", 5)
        self.published(log)
        self.assertEqual(self.declared()[0][1]["contentLength"], 5)
        self.assertEqual(self.storage.puts[0].headers["Content-Encoding"], "gzip")

    def test_the_storage_gets_the_type_that_the_queue_answered(self) -> None:
        self.queue.always("create_artifact", {"putUrl": SIGNED, "contentType": "text/queue"})
        self.published(artifact("a.txt"))
        self.assertEqual(self.storage.puts[0].headers["Content-Type"], "text/queue")

    def hang(self) -> None:
        """Publish more files than there are slots, none of which gets an answer."""
        self.storage.hangs = True
        for number in range(5):
            self.publish(artifact(f"a{number}")).addErrback(lambda _: None)

    def test_so_many_at_a_time_and_no_more(self) -> None:
        self.hang()
        self.assertEqual(len(self.storage.hanging), 2)

    def test_a_neighbour_s_artifacts_do_not_wait_for_a_run_that_has_very_many(self) -> None:
        self.hang()
        self.publisher = self.new_publisher()
        self.hang()
        self.assertEqual(len(self.storage.hanging), 3)

    def test_a_log_waits_for_no_artifacts(self) -> None:
        self.hang()
        self.storage.hangs = False
        self.published(GzippedArtifact("log", WHEN, file(gzip.compress(b"hello")), "text/plain", 5))

    def test_an_upload_that_waits_for_its_slot_can_be_given_up(self) -> None:
        self.hang()
        waiting = self.publish(artifact("b"))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(self.storage.hanging), 2)

    def test_a_file_that_cannot_be_read(self) -> None:
        for path in ("x.zip", "x"):
            closed = file(path=path)
            closed.open = raise_not_readable  # type: ignore[method-assign]  # of this one only
            self.refused(FileArtifact("a", WHEN, closed), ArchiveError)
        # Not even declared: where something is declared the queue would take no error.
        self.assertEqual((self.declared(), self.storage.puts), ([], []))

    def test_a_file_whose_declaration_is_refused_is_not_kept_open(self) -> None:
        stopped: list[str] = []

        class Body(BytesBody):
            def stopProducing(self) -> None:
                stopped.append("stopped")

        class Watched(MemoryFile):
            def open(self) -> Any:
                return Body(b"")

        self.queue.always("create_artifact", CallFailed("createArtifact", 403, "InsufficientScopes", "no"))
        self.refused(FileArtifact("a", WHEN, Watched("a.zip", b"")), ResourceUnavailable)
        self.assertEqual(stopped, ["stopped"])


class InTheMiddle(PublishingTest):
    """What may be listed without content, for the log to say so."""

    def setUp(self) -> None:
        super().setUp()
        self.storage.hangs = True
        self.publishing = self.publish(artifact("a.zip"))

    def test_a_file_until_it_is_there(self) -> None:
        self.assertEqual(self.publisher.unfinished(), {"a.zip": ""})
        self.storage.hanging[0].callback(Answer(200, {}, b""))
        self.successResultOf(self.publishing)
        self.assertEqual(self.publisher.unfinished(), {})

    def test_with_what_the_last_try_failed_with(self) -> None:
        self.storage.hanging[0].callback(Answer(503, {}, b"<Error><Code>SlowDown</Code></Error>"))
        self.assertIn("503 SlowDown", self.publisher.unfinished()["a.zip"])
        # While the next one is on its way as well.
        self.clock.advance(2)
        self.assertEqual(len(self.storage.hanging), 2)
        self.publishing.cancel()
        self.failureResultOf(self.publishing, CancelledError)
        error = self.publisher.unfinished()["a.zip"]
        self.assertIn("503 SlowDown", error)
        self.assertNotIn("topsecret", error)

    def test_one_that_is_cut_off(self) -> None:
        self.publishing.cancel()
        self.failureResultOf(self.publishing, CancelledError)
        self.assertEqual(self.publisher.unfinished(), {"a.zip": ""})

    def test_one_that_fails_is_told_of_by_whoever_wanted_it(self) -> None:
        self.storage.hanging[0].callback(Answer(404, {}, b""))
        self.failureResultOf(self.publishing, ResourceUnavailable)
        self.assertEqual(self.publisher.unfinished(), {})

    def test_the_log_itself_is_none(self) -> None:
        self.publish(GzippedArtifact("log", WHEN, file(gzip.compress(b"hello")), "text/plain", 5)).addErrback(id)
        self.assertEqual(self.publisher.unfinished(), {"a.zip": ""})


class WithoutContent(PublishingTest):
    """What the queue alone keeps."""

    def test_a_link(self) -> None:
        self.published(LinkArtifact("live", WHEN, "backing", "text/plain"))
        body = {"storageType": "link", "artifact": "backing", "contentType": "text/plain", "expires": EXPIRES}
        self.assertEqual(self.declared(), [("live", body)])

    def test_a_reference(self) -> None:
        self.published(ReferenceArtifact("shell", WHEN, "https://x.example.com", "text/html"))
        body = {
            "storageType": "reference",
            "url": "https://x.example.com",
            "contentType": "text/html",
            "expires": EXPIRES,
        }
        self.assertEqual(self.declared(), [("shell", body)])

    def test_an_error_whose_message_is_too_long(self) -> None:
        self.published(ErrorArtifact("a", WHEN, "file-missing-on-worker", "x" * 10_000))
        ((_, body),) = self.declared()
        self.assertEqual(body["reason"], "file-missing-on-worker")
        self.assertEqual(len(body["message"]), 4096)


class Names(PublishingTest):
    """One name, one artifact."""

    def test_another_file_of_the_same_name(self) -> None:
        self.published(artifact("a"))
        self.assertIn("name a", self.refused(artifact("a"), NamingConflict))

    def test_another_link_of_the_same_name(self) -> None:
        self.published(LinkArtifact("a", WHEN, "b", "text/plain"))
        self.published(LinkArtifact("a", WHEN, "b", "text/plain"))
        self.refused(LinkArtifact("a", WHEN, "c", "text/plain"), MalformedPayload)

    def test_a_link_takes_the_place_of_a_reference(self) -> None:
        self.published(ReferenceArtifact("live", WHEN, "https://x.example.com"))
        self.published(LinkArtifact("live", WHEN, "backing", "text/plain"))

    def test_what_failed_can_be_tried_again(self) -> None:
        wanted = artifact("a")
        self.storage.answers = [(404, b"")]
        self.refused(wanted, ResourceUnavailable)
        self.published(wanted)

    def test_the_queue_has_it_already(self) -> None:
        self.queue.always("create_artifact", CallFailed("createArtifact", 409, "RequestConflict", "it differs"))
        self.assertIn("it differs", self.refused(artifact("a"), MalformedPayload))
