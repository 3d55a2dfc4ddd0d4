"""Artifacts of every kind: how they are made, stored and replaced (contracts of the queue, 1.9)."""

from __future__ import annotations

import gzip
import time

from tests.conformance.artifact_case import ERROR, REFERENCE, S3, ArtifactTestCase
from tests.conformance.case import date, names, new_id, when


class Stored(ArtifactTestCase):
    """storageType s3."""

    def test_what_is_answered(self) -> None:
        made = self.make("public/a.txt", S3)
        self.assertEqual(set(made), {"storageType", "putUrl", "expires", "contentType"})
        self.assertEqual((made["storageType"], made["contentType"]), ("s3", S3["contentType"]))
        self.assertAlmostEqual(when(made["expires"]) - time.time(), 45 * 60, delta=60)

    def test_what_was_put_is_got(self) -> None:
        content = bytes(range(256)) * 100
        self.store("public/a.bin", content)
        answer = self.fetch("public/a.bin")
        self.assertEqual((answer.status, answer.content), (200, content))
        self.assertEqual(answer.headers["content-type"], S3["contentType"])
        self.assertEqual(answer.headers["content-length"], str(len(content)))

    def test_an_empty_one(self) -> None:
        made = self.make("public/empty", S3)
        answer = self.put(made, b"", Content_Length="0")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.fetch("public/empty").content, b"")

    def test_its_encoding_is_kept(self) -> None:
        content = gzip.compress(b"hello " * 1000)
        self.store("public/a.txt", content, Content_Encoding="gzip")
        answer = self.fetch("public/a.txt")
        self.assertEqual((answer.headers["content-encoding"], answer.content), ("gzip", content))

    def test_a_part_of_it(self) -> None:
        self.store("public/a.txt", b"0123456789")
        for asked, wanted, told in (
            ("bytes=2-4", b"234", "bytes 2-4/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=-2", b"89", "bytes 8-9/10"),
        ):
            answer = self.fetch("public/a.txt", Range=asked)
            self.assertEqual(
                (answer.status, answer.content, answer.headers["content-range"]), (206, wanted, told), asked
            )
        self.assertEqual(self.fetch("public/a.txt", Range="bytes=20-").status, 416)

    def test_the_address_is_for_its_content_type(self) -> None:
        made = self.make("public/a.txt", S3)
        for kind in ("text/html", "application/octet-stream"):
            self.assertEqual(self.put({**made, "contentType": kind}, b"a").status, 403)
        changed = {**made, "putUrl": made["putUrl"] + "x"}
        self.assertIn(self.put(changed, b"a").status, (400, 403))

    def test_it_is_there_before_it_is_put(self) -> None:
        self.make("public/a.txt", S3)
        self.assertEqual(names(self.queue.listArtifacts(*self.held.run)["artifacts"], "name"), ["public/a.txt"])
        self.assertEqual(self.get("public/a.txt").status, 303)
        self.assertIn(self.fetch("public/a.txt").status, (403, 404))

    def test_another_address_for_the_same(self) -> None:
        self.store("public/a.txt", b"first")
        self.store("public/a.txt", b"second")
        self.assertEqual(self.fetch("public/a.txt").content, b"second")

    def test_names(self) -> None:
        for name in ("public/a b+c%20d.txt", "public/../a", "public//b", "x" * 500, "a?b#c", "~!@$&'()*,;=[]"):
            self.store(name, name.encode())
            held = self.held
            found = held.services.queue.artifactInfo(*held.run, name)
            self.assertEqual(found["name"], name)
            url = self.queue.artifact(*held.run, name)["url"]
            self.assertEqual(self.deployment.send("GET", url).content, name.encode())
        for name in ("caf%C3%A9", "a%0Ab"):
            answer = self.call("POST", f"{self.held.path}/artifacts/{name}", {**ERROR, "expires": date(hours=1)})
            self.assertRefused(answer, "InvalidRequestArguments")


class OtherKinds(ArtifactTestCase):
    def test_a_reference(self) -> None:
        self.assertEqual(self.make("public/a", REFERENCE), {"storageType": "reference"})
        answer = self.get("public/a")
        self.assertEqual((answer.status, answer.headers["location"]), (303, REFERENCE["url"]))
        self.assertEqual(answer.json, {"storageType": "reference", "url": REFERENCE["url"]})
        self.assertEqual(answer.headers["x-taskcluster-artifact-storage-type"], "reference")
        content = self.queue.artifact(*self.held.run, "public/a")
        self.assertEqual(content, {"storageType": "reference", "url": REFERENCE["url"]})

    def test_an_error(self) -> None:
        self.assertEqual(self.make("public/a", ERROR), {"storageType": "error"})
        answer = self.get("public/a")
        told = {"reason": ERROR["reason"], "message": ERROR["message"]}
        self.assertEqual((answer.status, answer.json), (424, told))
        self.assertEqual(answer.headers["x-taskcluster-artifact-storage-type"], "error")
        content = self.queue.artifact(*self.held.run, "public/a")
        self.assertEqual(content, {"storageType": "error", **told})
        info = self.queue.artifactInfo(*self.held.run, "public/a")
        self.assertEqual((info["storageType"], info["contentType"]), ("error", "application/binary"))

    def test_a_link(self) -> None:
        self.make("public/a", REFERENCE)
        self.assertEqual(self.link("public/b", "public/a"), {"storageType": "link"})
        self.link("public/c", "public/b")
        for name in ("public/b", "public/c"):
            answer = self.get(name)
            self.assertEqual((answer.status, answer.headers["location"]), (303, REFERENCE["url"]))
            self.assertEqual(answer.json["storageType"], "reference")
            self.assertEqual(self.queue.artifact(*self.held.run, name)["storageType"], "reference")
            # What is said of it is said of the link.
            self.assertEqual(self.queue.artifactInfo(*self.held.run, name)["storageType"], "link")

    def test_a_link_that_leads_nowhere(self) -> None:
        self.link("public/a", "public/b")
        self.link("public/b", "public/c")
        self.assertRefused(self.get("public/a"), "ResourceNotFound")
        self.link("public/c", "public/a")
        for name in ("public/a", "public/b", "public/c"):
            self.assertRefused(self.get(name), "InputError")
            with self.refused("InputError"):
                self.queue.artifact(*self.held.run, name)

    def test_a_link_to_itself(self) -> None:
        self.link("public/a", "public/a")
        self.assertRefused(self.get("public/a"), "InputError")

    def test_the_whole_chain_must_be_permitted(self) -> None:
        self.make("conformance/secret", REFERENCE)
        self.link("conformance/open", "conformance/secret")
        few = self.deployment.issue("queue:get-artifact:conformance/open")
        both = self.deployment.issue("queue:get-artifact:conformance/*")
        self.assertRefused(self.get("conformance/open", few), "InsufficientScopes")
        self.assertEqual(self.get("conformance/open", both).status, 303)


class Creation(ArtifactTestCase):
    def test_what_must_be_said(self) -> None:
        wrong = [
            {"storageType": "s3"},
            {"storageType": "azure", "contentType": "a/b"},
            {"storageType": "reference", "contentType": "a/b"},
            {"storageType": "reference", "contentType": "a/b", "url": "no url"},
            {"storageType": "link", "contentType": "a/b"},
            {"storageType": "error", "reason": "whatever", "message": "m"},
            {"storageType": "error", "reason": ERROR["reason"]},
            {**S3, "contentType": "x" * 256},
            {**S3, "more": 1},
            {**S3, "expires": "tomorrow"},
            {"contentType": "a/b"},
        ]
        for artifact in wrong:
            with self.subTest(artifact=artifact), self.refused("InputValidationError"):
                self.make("public/a", artifact)

    def test_where_it_cannot_be(self) -> None:
        """Unknown tasks and runs are bad input here, not 404."""
        artifact = {**ERROR, "expires": date(hours=1)}
        unclaimed = self.create()
        for run in ((new_id(), 0), (self.held.task_id, 3), (unclaimed, 0)):
            with self.refused("InputError"):
                self.queue.createArtifact(*run, "public/a", artifact)

    def test_its_expiry(self) -> None:
        for expires in (date(minutes=-16), date(hours=3)):
            with self.refused("InputError"):
                self.make("public/a", ERROR, expires=expires)
        self.make("public/a", ERROR, expires=self.queue.task(self.held.task_id)["expires"])

    def test_a_run_that_is_over(self) -> None:
        completed, failed = self.running(), self.running()
        completed.complete()
        failed.fail()
        for held in (completed, failed):
            with self.refused("RequestConflict"):
                self.make("public/a", ERROR, held)

    def test_an_exception_still_takes_them(self) -> None:
        excepted, canceled, retried = self.running(), self.running(), self.running()
        excepted.end_with("internal-error")
        self.queue.cancelTask(canceled.task_id)
        retried.end_with("worker-shutdown")
        for held in (excepted, canceled, retried):
            self.make("public/a", ERROR, held)

    def test_who_may(self) -> None:
        other = self.running()
        artifact = {**ERROR, "expires": date(hours=1)}
        with self.refused("InsufficientScopes"):
            self.held.services.queue.createArtifact(*other.run, "public/a", artifact)
        # The scopes are all in the path, and come before everything else.
        with self.refused("InsufficientScopes"):
            self.limited().queue.createArtifact(new_id(), 0, "public/a", {})


class Replacement(ArtifactTestCase):
    def test_the_same_again(self) -> None:
        for artifact in (S3, REFERENCE, ERROR, {"storageType": "link", "artifact": "public/z", "contentType": "a/b"}):
            name, expires = f"public/{artifact['storageType']}", date(hours=1)
            for length in ({}, {"contentLength": 5}) if artifact is S3 else ({}, {}):
                answer = self.make(name, artifact, expires=expires, **length)
                self.assertEqual(answer["storageType"], artifact["storageType"])

    def test_it_may_live_longer_but_not_shorter(self) -> None:
        self.make("public/a", ERROR, expires=date(minutes=30))
        self.make("public/a", ERROR, expires=date(minutes=40))
        with self.refused("RequestConflict"):
            self.make("public/a", ERROR, expires=date(minutes=30))

    def test_other_details(self) -> None:
        expires = date(hours=1)
        self.make("public/a", ERROR, expires=expires)
        self.make("public/b", S3, expires=expires)
        for name, artifact in (
            ("public/a", {**ERROR, "message": "Another."}),
            ("public/a", S3),
            ("public/b", {**S3, "contentType": "text/html"}),
            ("public/b", REFERENCE),
        ):
            with self.subTest(artifact=artifact), self.refused("RequestConflict"):
                self.make(name, artifact, expires=expires)

    def test_a_reference_may_lead_elsewhere(self) -> None:
        self.make("public/a", REFERENCE)
        self.make("public/a", {**REFERENCE, "url": "https://example.com/other"})
        self.assertEqual(self.get("public/a").headers["location"], "https://example.com/other")
        with self.refused("RequestConflict"):
            self.make("public/a", {**REFERENCE, "contentType": "text/plain"})

    def test_and_become_a_link(self) -> None:
        self.make("public/target", {**REFERENCE, "url": "https://example.com/target"})
        self.make("public/a", REFERENCE)
        self.link("public/a", "public/target")
        self.assertEqual(self.get("public/a").headers["location"], "https://example.com/target")
        with self.refused("RequestConflict"):
            self.make("public/a", REFERENCE)
