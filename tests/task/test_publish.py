"""Artifacts on their way out: what the queue and the storage are told, and what becomes of their refusals."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.bodies import BytesBody
from tcworker.client.http import HTTP
from tcworker.errors import (
    ArchiveError,
    CallFailed,
    MalformedPayload,
    NamingConflict,
    NotReadable,
    ResourceUnavailable,
    Unreachable,
)
from tcworker.filebody import MemoryFile
from tcworker.interfaces import (
    Artifact,
    Credentials,
    ErrorArtifact,
    FileArtifact,
    GzippedArtifact,
    IArchivedFile,
    LinkArtifact,
    ReferenceArtifact,
)
from tcworker.task.claim import read_date
from tcworker.task.object_upload import ObjectUpload
from tcworker.task.patience import Patience
from tcworker.task.publish import Publisher
from tcworker.task.upload import Run, S3Upload
from tcworker.testing.facilities import NoThreads
from tcworker.testing.queue import Call, FakeQueue
from tcworker.waiting import Executor
from tests.task.storage import Storage
from tests.task.test_jobs import Held

EXPIRES = "2031-01-31T12:00:00.000Z"
WHEN = read_date(EXPIRES)
SIGNED = "https://bucket.example.com/key?X-Amz-Signature=topsecret"


def file(content: bytes = b"hello", path: str = "some/file") -> IArchivedFile:
    return MemoryFile(path, content)


def artifact(name: str, content: bytes = b"hello", **more: Any) -> FileArtifact:
    """A file that is published under its own path."""
    return FileArtifact(name, WHEN, file(content, name), **more)


def raise_not_readable() -> NoReturn:
    raise NotReadable("not yours")


class PublishingTest(SynchronousTestCase):
    """A publisher before a queue and a storage in memory."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.clock = Clock()
        self.seconds_left = 3600.0
        self.queue = FakeQueue()
        self.storage = Storage()
        self.slots = DeferredSemaphore(3)
        self.publisher = self.new_publisher()
        self.addresses = 0
        self.queue.always("create_artifact", self.address)

    def new_publisher(self, threads: Executor = NoThreads()) -> Publisher:  # noqa: B008  # it has no state
        run = Run("task", 0, self.queue, Patience(self.clock, lambda: self.seconds_left - self.clock.seconds()))
        return Publisher(run, self.upload(run), self.folder, threads, self.slots, DeferredSemaphore(2))

    def upload(self, run: Run) -> S3Upload | ObjectUpload:
        return S3Upload(cast(HTTP, self.storage), run)

    def address(self, call: Call) -> Mapping[str, Any]:
        if call.body["storageType"] != "s3":
            return {"storageType": call.body["storageType"]}
        self.addresses += 1
        url = f"{SIGNED}&n={self.addresses}"
        return {"storageType": "s3", "putUrl": url, "contentType": call.body["contentType"], "expires": EXPIRES}

    def publish(self, artifact: Artifact) -> Deferred[None]:
        return Deferred.fromCoroutine(self.publisher.publish(artifact))

    def published(self, artifact: Artifact) -> None:
        self.successResultOf(self.publish(artifact))

    def refused(self, artifact: Artifact, *kinds: type[Exception]) -> str:
        error = str(self.failureResultOf(self.publish(artifact), *kinds).value)
        self.assertNotIn("topsecret", error)
        return error

    def declared(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(call.args[2], call.body) for call in self.queue.made("create_artifact")]


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

    def test_a_storage_that_never_takes_it_is_given_up_however_long_the_claim_is_kept(self) -> None:
        self.seconds_left = 1e6
        self.storage.answers = [(501, b"")] * 1000
        publishing = self.publish(artifact("a.zip"))
        self.advance(1700)
        self.assertNoResult(publishing)
        self.advance(101)
        self.failureResultOf(publishing, ResourceUnavailable)

    def test_an_upload_that_does_not_end_ends_with_the_time(self) -> None:
        self.storage.hangs = True
        publishing = self.publish(artifact("a.zip"))
        self.clock.advance(3600)
        self.failureResultOf(publishing, ResourceUnavailable)

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


class FakeObjects:
    """The object service, as far as uploads need it."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.calls: list[tuple[str, str, Any]] = []
        self.finished: Any = None
        self.lost = 0

    def create_upload(self, name: str, body: Any) -> Deferred[Any]:
        self.calls.append(("create_upload", name, body))
        if self.finished is not None:
            return fail(CallFailed("createUpload", 409, "RequestConflict", "it is there"))
        headers = {"Content-Type": "x/y", "Content-Length": "5", "Content-Encoding": "identity"}
        return succeed({"uploadMethod": {"putUrl": {"url": SIGNED, "headers": headers}}})

    def finish_upload(self, name: str, body: Any) -> Deferred[Any]:
        self.calls.append(("finish_upload", name, body))
        if self.finished not in (None, body):
            return fail(CallFailed("finishUpload", 409, "RequestConflict", "it has other hashes"))
        self.finished = body
        self.lost -= 1
        return succeed({}) if self.lost < 0 else fail(Unreachable("finishUpload", "the answer was lost"))


class Objects(PublishingTest):
    """Files to the object service."""

    def upload(self, run: Run) -> S3Upload | ObjectUpload:
        return ObjectUpload(cast(HTTP, self.storage), run, self.new_service)

    def new_service(self, credentials: Credentials) -> FakeObjects:
        self.objects = FakeObjects(credentials)
        self.objects.lost = self.lost
        return self.objects

    def address(self, call: Call) -> Mapping[str, Any]:
        return {
            "storageType": "object",
            "name": "t/task/0/a.txt",
            "projectId": "p",
            "uploadId": "u",
            "expires": EXPIRES,
            "credentials": {"clientId": "upload", "accessToken": "x", "certificate": "{}"},
        }

    def setUp(self) -> None:
        super().setUp()
        self.lost = 0
        self.queue.always("finish_artifact", {})

    def test_the_whole_way(self) -> None:
        self.published(artifact("a.txt", b"hello"))
        body = {
            "storageType": "object",
            "contentType": "text/plain; charset=utf-8",
            "contentLength": 5,
            "expires": EXPIRES,
        }
        self.assertEqual(self.declared(), [("a.txt", body)])
        self.assertEqual(self.objects.credentials.client_id, "upload")
        (put,) = self.storage.puts
        self.assertEqual(put.body, b"hello")
        self.assertEqual(put.headers, {"Content-Type": "x/y", "Content-Encoding": "identity"})
        hashes = {"sha256": hashlib.sha256(b"hello").hexdigest(), "sha512": hashlib.sha512(b"hello").hexdigest()}
        self.assertEqual(
            self.objects.calls[-1],
            ("finish_upload", "t/task/0/a.txt", {"projectId": "p", "uploadId": "u", "hashes": hashes}),
        )
        self.assertEqual(self.queue.made("finish_artifact")[0].args, ("task", 0, "a.txt", {"uploadId": "u"}))

    def test_it_is_declared_once_however_often_it_is_tried(self) -> None:
        self.storage.answers = [(500, b""), (403, b"")]
        publishing = self.publish(artifact("a.txt"))
        self.clock.pump([1] * 30)
        self.successResultOf(publishing)
        self.assertEqual(len(self.declared()), 1)
        created = [body for name, _, body in self.objects.calls if name == "create_upload"]
        self.assertEqual(created, [created[0]] * 3)

    def finished_after(self, seconds: int) -> None:
        publishing = self.publish(artifact("a.txt"))
        self.clock.pump([1] * seconds)
        self.successResultOf(publishing)
        self.assertEqual(len(self.storage.puts), 1)

    def test_a_finish_artifact_that_fails_is_repeated_by_itself(self) -> None:
        errors: list[Exception] = [CallFailed("finishArtifact", 500, "", "no"), Unreachable("finishArtifact", "no")]
        self.queue.always("finish_artifact", lambda call: self.raise_first(errors, call))
        self.finished_after(10)
        self.assertEqual(len(self.queue.made("finish_artifact")), 3)

    def raise_first(self, errors: list[Exception], call: Call) -> Any:
        if errors:
            raise errors.pop(0)
        return {}

    def test_a_finish_upload_whose_answer_is_lost_is_repeated_by_itself(self) -> None:
        self.lost = 2
        self.finished_after(10)

    def test_a_declaration_whose_answer_is_lost_is_not_repeated_for_hours(self) -> None:
        self.queue.always("create_artifact", CallFailed("createArtifact", 500, "InternalServerError", "locked"))
        publishing = self.publish(artifact("a.txt"))
        self.clock.pump([1] * 240)
        self.failureResultOf(publishing, ResourceUnavailable)
        self.assertEqual(len(self.declared()), 8)

    def test_a_file_that_cannot_be_read_is_not_declared(self) -> None:
        closed = file()
        closed.open = raise_not_readable  # type: ignore[method-assign]  # of this one only
        self.refused(FileArtifact("a", WHEN, closed), NotReadable)
        self.assertEqual(self.declared(), [])

    def test_a_content_encoding_is_ignored(self) -> None:
        self.published(artifact("a.txt", content_encoding="gzip"))
        (put,) = self.storage.puts
        self.assertEqual((put.body, put.headers["Content-Encoding"]), (b"hello", "identity"))

    def test_a_log_is_stored_as_it_was_before_compression(self) -> None:
        self.published(GzippedArtifact("log", WHEN, file(gzip.compress(b"hello" * 10_000)), "text/plain", 50_000))
        self.assertEqual(self.storage.puts[0].body, b"hello" * 10_000)
