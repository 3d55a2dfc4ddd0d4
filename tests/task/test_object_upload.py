"""Files on their way to the object service."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed

from tcworker.client.http import HTTP
from tcworker.client.trouble import Unsent
from tcworker.errors import CallFailed, NotReadable, ResourceUnavailable, TaskclusterError, TooLate, Unreachable
from tcworker.interfaces import Credentials, FileArtifact, GzippedArtifact
from tcworker.task.object_upload import ObjectUpload
from tcworker.task.upload import Run, Upload
from tcworker.testing.queue import Call
from tests.task.publish_case import EXPIRES, SIGNED, WHEN, PublishingTest, artifact, file, raise_not_readable

LOCKED = CallFailed("createArtifact", 500, "InternalServerError", "locked")
"""What the queue answers to a second declaration."""


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

    def upload(self, run: Run) -> Upload:
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

    def fail_to_declare(self, name: str, *errors: TaskclusterError) -> Deferred[None]:
        """Publish while declarations fail in turn, the last one's way for ever."""
        left = list(errors)
        self.queue.always(
            "create_artifact", lambda call: self.raise_first([left.pop(0) if left[1:] else left[0]], call)
        )
        return self.publish(artifact(name))

    def test_a_declaration_whose_answer_is_lost_is_not_repeated_for_hours(self) -> None:
        publishing = self.fail_to_declare("a.txt", Unreachable("createArtifact", "the answer was lost"), LOCKED)
        self.clock.pump([1] * 300)
        self.failureResultOf(publishing, ResourceUnavailable)
        self.assertEqual(len(self.declared()), 9)

    def test_one_that_the_queue_itself_did_not_fail_at_is_made_again_as_long_as_the_claim_is_kept(self) -> None:
        statuses = (429, 502, 503, 504)
        away: list[TaskclusterError] = [CallFailed("createArtifact", status, "", "no") for status in statuses]
        away += [Unreachable("createArtifact", "no answer"), Unsent("createArtifact", "connection refused")]
        self.seconds_left = 1e6
        for number, outage in enumerate(away):
            publishing = self.fail_to_declare(f"{number}.txt", outage)
            self.clock.pump([1] * 3000)
            self.assertNoResult(publishing)
            self.queue.always("create_artifact", self.address)
            self.clock.pump([1] * 40)
            self.successResultOf(publishing)

    def test_when_the_worker_must_go_it_is_declared_no_longer_than_files_have(self) -> None:
        self.haste.begin(10.0)
        publishing = self.fail_to_declare("a.txt", CallFailed("createArtifact", 503, "", "no"))
        self.clock.pump([0.5] * 10)
        self.failureResultOf(publishing, TooLate)

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
