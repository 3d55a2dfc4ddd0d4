"""Uploading to the object service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slugid
from twisted.internet.defer import Deferred, execute

from tcworker.waiting import OneShot
from tests.embedded.objects.case import HASHES, OBJECT, ObjectsTestCase, inline
from tests.embedded.wire import InThisThread

DAY = 24 * 60 * 60


class Beginning(ObjectsTestCase):
    def test_what_was_asked_for_is_repeated(self) -> None:
        expires = self.date(days=10)
        said = {"projectId": "proj", "uploadId": self.upload_id, "expires": expires, "uploadMethod": {}}
        self.assertEqual(self.create_upload(expires=expires, proposedUploadMethods={}).json, said)

    def test_an_address_with_its_headers(self) -> None:
        method = self.put_url(length=5)
        self.assertEqual(
            method["headers"],
            {"Content-Type": "text/plain", "Content-Length": "5", "Content-Encoding": "identity"},
        )
        self.assertEqual(method["expires"], "2027-01-15T08:45:00.000Z")

    def test_small_data_is_preferred_and_stored_at_once(self) -> None:
        both = {**inline(b"hello"), "putUrl": {"contentType": "text/plain", "contentLength": 5}}
        self.assertEqual(self.create_upload(proposedUploadMethods=both).json["uploadMethod"], {"dataInline": True})
        self.finish_upload()
        answer = self.get(self.start_download("getUrl").json["url"])
        self.assertEqual((answer.content, answer.headers["content-type"]), (b"hello", "text/plain"))

    def test_the_last_of_small_data_counts(self) -> None:
        for data in (b"first", b"second"):
            self.create_upload(proposedUploadMethods=inline(data))
        self.finish_upload()
        self.assertEqual(self.get(self.start_download("simple").json["url"]).content, b"second")

    def test_small_data_of_any_padding_and_alphabet(self) -> None:
        for text, status in (("aGVsbG8", 200), ("aGVsbG8=", 200), ("", 200), ("a", 400), ("-_+/", 200), ("a=b", 400)):
            answer = self.create_upload(f"of {text}", proposedUploadMethods=inline(text))
            self.assertEqual(answer.status, status, text)

    def test_more_than_8_kibibytes_are_not_small(self) -> None:
        for size, status in ((8192, 200), (8196, 400)):
            answer = self.create_upload(f"of {size}", proposedUploadMethods=inline(b"x" * size))
            self.assertEqual(answer.status, status, size)

    def test_again_as_long_as_nothing_differs(self) -> None:
        expires = self.date(days=10)
        self.create_upload(expires=expires)
        self.reactor.advance(60)
        self.assertEqual(self.create_upload(expires=expires).status, 200)
        others = {"projectId": "other", "uploadId": slugid.nice(), "expires": self.date(days=9)}
        for key, other in others.items():
            self.assertRefused(self.create_upload(**{"expires": expires, key: other}), 409, "RequestConflict")

    def test_not_after_it_is_finished(self) -> None:
        expires = self.date(days=10)
        self.create_upload(expires=expires)
        self.finish_upload()
        self.assertRefused(self.create_upload(expires=expires), 409, "RequestConflict")

    def test_a_hash_stays_what_it_was(self) -> None:
        self.assertEqual(self.create_upload(hashes={"sha256": "a" * 64}).status, 200)
        self.assertEqual(self.create_upload(hashes=HASHES).status, 200)
        self.assertRefused(self.create_upload(hashes={"sha256": "c" * 64}), 409, "RequestConflict")

    def test_a_slash_in_the_path_is_no_part_of_a_name(self) -> None:
        answer = self.call("PUT", f"{OBJECT}/upload/a/b", self.upload_body())
        self.assertEqual((answer.status, answer.json), (404, {"error": "Not found"}))

    def test_bodies_that_are_no_upload(self) -> None:
        for more in (
            {"uploadId": "x"},
            {"projectId": "a b"},
            {"projectId": ""},
            {"hashes": {"sha256": "A" * 64}},
            {"hashes": {"sha512": "a" * 64}},
            {"proposedUploadMethods": {"pigeon": {}}},
            {"proposedUploadMethods": {"putUrl": {"contentType": "text/plain", "contentLength": -1}}},
            {"proposedUploadMethods": {"putUrl": {"contentType": "text/\u00fc", "contentLength": 1}}},
            {"more": 1},
        ):
            self.assertRefused(self.create_upload(**more), 400, "InputValidationError")

    def test_a_hash_that_is_not_known_is_kept(self) -> None:
        self.create_upload()
        self.finish_upload(hashes={"blake3": "x"})
        self.assertEqual(self.object("GET", "metadata", "a/b").json["hashes"], {"blake3": "x"})

    def test_for_those_only_who_may(self) -> None:
        for scope, status in (("object:upload:proj:a/*", 200), ("object:upload:other:a/b", 403)):
            own = self.with_scopes(scope)
            self.assertEqual(self.object("PUT", "upload", "a/b", self.upload_body(), own).status, status)
            finished = self.object(
                "POST", "finish-upload", "a/b", {"projectId": "proj", "uploadId": self.upload_id}, own
            )
            self.assertEqual(finished.status, status)

    def test_a_body_without_sense_is_told_before_a_lack_of_scopes(self) -> None:
        answer = self.begin("PUT", f"{OBJECT}/upload/a", {}).answer()
        self.assertRefused(answer, 400, "InputValidationError")


class Putting(ObjectsTestCase):
    def test_with_the_headers_that_were_said(self) -> None:
        method = self.put_url(length=5)
        self.assertEqual(self.put(method, b"hello", Content_Type="text/html").status, 403)
        self.assertEqual(self.put(method, b"hello", Content_Encoding="gzip").status, 403)
        self.assertEqual(self.put(method, b"longer").status, 403)
        self.assertEqual(self.put(method, b"hello").status, 200)

    def test_for_45_minutes(self) -> None:
        method = self.put_url(length=5)
        self.reactor.advance(45 * 60 + 1)
        self.assertEqual(self.put(method, b"hello").status, 403)
        self.assertEqual(self.put(self.put_url("c", 5), b"hello").status, 200)

    def test_nothing_at_all(self) -> None:
        self.upload(b"")
        self.assertEqual(self.get(self.start_download("getUrl").json["url"]).content, b"")


class Finishing(ObjectsTestCase):
    def test_of_what_nobody_began(self) -> None:
        self.assertRefused(self.finish_upload(), 404, "ResourceNotFound")

    def test_of_another_project_or_upload(self) -> None:
        self.create_upload()
        self.assertRefused(self.finish_upload(projectId="other"), 400, "InputError")
        self.assertRefused(self.finish_upload(uploadId=str(slugid.nice())), 409, "RequestConflict")
        self.assertEqual(self.finish_upload().json, {})

    def test_not_before_its_content_is_there(self) -> None:
        method = self.put_url(length=5)
        self.assertRefused(self.finish_upload(), 409, "RequestConflict")
        self.put(method, b"hello")
        self.assertEqual(self.finish_upload().status, 200)

    def test_of_data_whose_sender_hung_up(self) -> None:
        later: list[Callable[[], object]] = []

        def run(_: object, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
            waiting: Deferred[Any] = Deferred()
            ended: OneShot[Any] = OneShot()
            ended.wait().chainDeferred(waiting)
            later.append(lambda: execute(work, *args).addBoth(ended.settle))
            return waiting

        body, target = self.upload_body(), f"{OBJECT}/upload/a%2Fb"
        self.patch(InThisThread, "run", run)
        pending = self.begin("PUT", target, body, self.root)
        # The name is taken, the data written; that it is kept is what the database is at.
        for _ in range(2):
            later.pop(0)()
        [keep] = later
        pending.hang_up()
        keep()
        self.patch(InThisThread, "run", lambda _, work, *args: execute(work, *args))
        self.assertEqual(self.finish_upload().status, 200)
        self.assertEqual(self.get(self.start_download("simple").json["url"]).content, b"hello")

    def test_with_another_hash_than_before(self) -> None:
        self.create_upload(hashes={"sha256": "c" * 64})
        self.assertRefused(self.finish_upload(), 409, "RequestConflict")
        self.assertEqual(self.start_download("getUrl").status, 404)

    def test_again_with_less_but_nothing_new(self) -> None:
        self.create_upload()
        self.finish_upload(hashes={"sha256": "a" * 64})
        self.assertEqual(self.finish_upload(hashes={}, uploadId=str(slugid.nice())).status, 200)
        self.assertEqual(self.finish_upload(hashes={"sha256": "a" * 64}).status, 200)
        self.assertRefused(self.finish_upload(hashes={"sha256": "c" * 64}), 409, "RequestConflict")
        self.assertRefused(self.finish_upload(hashes={"sha512": "b" * 128}), 409, "RequestConflict")
        self.assertRefused(self.finish_upload(projectId="other"), 400, "InputError")


class Ending(ObjectsTestCase):
    def test_an_upload_that_is_not_finished_in_a_day(self) -> None:
        self.put(self.put_url(length=5), b"hello")
        self.reactor.advance(DAY)
        self.assertRefused(self.finish_upload(), 404, "ResourceNotFound")

    def test_its_name_is_free_then_and_its_content_nobodys(self) -> None:
        self.put(self.put_url(length=5), b"hello")
        self.reactor.advance(DAY)
        self.upload_id = str(slugid.nice())
        self.assertEqual(self.create_upload(proposedUploadMethods={}).status, 200)
        self.assertRefused(self.finish_upload(), 409, "RequestConflict")

    def test_of_an_object_when_it_expires(self) -> None:
        self.upload()
        self.reactor.advance(10 * DAY - 1)
        self.assertEqual(self.start_download("simple").status, 200)
        self.reactor.advance(1)
        self.assertRefused(self.start_download("simple"), 404, "ResourceNotFound")
