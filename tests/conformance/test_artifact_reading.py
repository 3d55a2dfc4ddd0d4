"""Artifacts read in both families, listed, finished and expired (contracts of the queue, 1.9, 1.10)."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.conformance.artifact_case import ERROR, REFERENCE, S3, ArtifactTestCase
from tests.conformance.callers import Credentials
from tests.conformance.case import date, names, new_id, when
from tests.conformance.deployment import NOT_SIGNED


class Reading(ArtifactTestCase):
    def test_public_ones_are_for_everybody(self) -> None:
        self.make("public/a", REFERENCE)
        self.make("private/a", REFERENCE)
        self.assertEqual(self.get("public/a", NOT_SIGNED).status, 303)
        self.assertEqual(self.get("public/a", NOT_SIGNED, latest=True).status, 303)
        self.assertRefused(self.get("private/a", NOT_SIGNED), "InsufficientScopes")
        self.assertRefused(self.get("private/a", NOT_SIGNED, latest=True), "InsufficientScopes")
        some = self.deployment.issue("queue:get-artifact:private/*")
        self.assertEqual(self.get("private/a", some).status, 303)

    def test_what_is_not_there(self) -> None:
        queue, task_id = self.queue, self.held.task_id
        for run in (self.held.run, (task_id, 5), (new_id(), 0)):
            for call in (queue.artifact, queue.artifactInfo, queue.getArtifact):
                with self.refused("ResourceNotFound"):
                    call(*run, "public/none")
        with self.refused("ResourceNotFound"):
            queue.listArtifacts(new_id(), 0)
        unscheduled = self.create(dependencies=[self.create()])
        for other in (new_id(), unscheduled):
            for call in (queue.latestArtifact, queue.latestArtifactInfo, queue.getLatestArtifact):
                with self.refused("ResourceNotFound"):
                    call(other, "public/none")
            with self.refused("ResourceNotFound"):
                queue.listLatestArtifacts(other)

    def test_who_may_not_does_not_learn_what_is_there(self) -> None:
        few = self.deployment.services(None).queue
        for run in (self.held.run, (new_id(), 0)):
            for call in (few.getArtifact, few.artifact):
                with self.refused("InsufficientScopes"):
                    call(*run, "private/none")
        with self.refused("InsufficientScopes"):
            few.getLatestArtifact(new_id(), "private/none")
        # Only this one looks for the task first.
        with self.refused("ResourceNotFound"):
            few.latestArtifact(new_id(), "private/none")
        self.link("public/a", "private/none")
        with self.refused("InsufficientScopes"):
            few.getArtifact(*self.held.run, "public/a")

    def test_the_latest_run_counts(self) -> None:
        self.make("public/a", REFERENCE)
        self.held.end_with("worker-shutdown")
        with self.refused("ResourceNotFound"):
            self.queue.latestArtifact(self.held.task_id, "public/a")
        again = self.claim()
        self.make("public/a", {**REFERENCE, "url": "https://example.com/second"}, again)
        self.assertEqual(self.queue.latestArtifact(self.held.task_id, "public/a")["url"], "https://example.com/second")
        self.assertEqual(self.get("public/a", latest=True).headers["location"], "https://example.com/second")
        self.assertEqual(self.get("public/a").headers["location"], REFERENCE["url"])
        self.assertEqual(self.queue.latestArtifactInfo(self.held.task_id, "public/a")["name"], "public/a")
        self.assertEqual(len(self.queue.listLatestArtifacts(self.held.task_id)["artifacts"]), 1)

    def test_what_is_said_of_them(self) -> None:
        expires = date(hours=1)
        self.make("public/a", S3, contentLength=5, expires=expires)
        info = self.queue.artifactInfo(*self.held.run, "public/a")
        self.assertEqual(
            {name: info[name] for name in info if name != "expires"},
            {"storageType": "s3", "name": "public/a", "contentType": S3["contentType"], "contentLength": 5},
        )
        self.assertAlmostEqual(when(info["expires"]), when(expires), 2)
        self.assertEqual(self.queue.listArtifacts(*self.held.run)["artifacts"], [info])

    def test_listed_by_name_page_by_page(self) -> None:
        made = [f"public/{letter}" for letter in "dbeac"]
        for name in made:
            self.make(name, ERROR)
        seen: list[str] = []
        self.queue.listArtifacts(
            params={"taskId": self.held.task_id, "runId": 0},
            paginationLimit=2,
            paginationHandler=lambda page: seen.extend(names(page["artifacts"], "name")),
        )
        self.assertEqual(seen, sorted(made))

    def test_who_may_look(self) -> None:
        task_id = self.held.task_id
        self.make("public/a", ERROR)
        self.limited(f"queue:list-artifacts:{task_id}:0").queue.artifactInfo(*self.held.run, "public/a")
        self.limited(f"queue:list-artifacts:{task_id}").queue.latestArtifactInfo(task_id, "public/a")

    def test_an_expired_one(self) -> None:
        for artifact in (S3, REFERENCE, ERROR):
            name = f"public/{artifact['storageType']}"
            self.make(name, artifact, expires=date(minutes=-1))
            self.assertRefused(self.get(name), "ResourceExpired")
            self.assertRefused(self.get(name, latest=True), "ResourceExpired")
            with self.refused("ResourceExpired"):
                self.queue.artifact(*self.held.run, name)

    def test_a_link_to_an_expired_one(self) -> None:
        self.make("public/a", REFERENCE, expires=date(minutes=-1))
        self.link("public/b", "public/a")
        self.assertRefused(self.get("public/b"), "ResourceExpired")


class Finishing(ArtifactTestCase):
    def test_only_objects_are_finished(self) -> None:
        self.make("public/a", ERROR)
        with self.refused("InputError"):
            self.held.services.queue.finishArtifact(*self.held.run, "public/a", {"uploadId": new_id()})

    def test_what_is_not_there(self) -> None:
        for run, name in ((self.held.run, "public/none"), ((new_id(), 0), "public/a")):
            with self.refused("ResourceNotFound"):
                self.queue.finishArtifact(*run, name, {"uploadId": new_id()})

    def test_what_must_be_said(self) -> None:
        for body in ({}, {"uploadId": "x"}, {"uploadId": new_id(), "more": 1}):
            with self.refused("InputValidationError"):
                self.queue.finishArtifact(*self.held.run, "public/a", body)


class Objects(ArtifactTestCase):
    """storageType object: made in the queue, stored with the object service, finished in the queue."""

    OBJECT: ClassVar[dict[str, str]] = {"storageType": "object", "contentType": "text/plain"}

    def upload(self, made: Any, content: bytes = b"hello") -> None:
        objects = self.deployment.services(Credentials.from_json(made["credentials"])).objects
        asked = {"projectId": made["projectId"], "uploadId": made["uploadId"]}
        proposed = {"putUrl": {"contentType": "text/plain", "contentLength": len(content)}}
        begun = objects.createUpload(
            made["name"], {**asked, "expires": made["expires"], "proposedUploadMethods": proposed}
        )
        method = begun["uploadMethod"]["putUrl"]
        self.assertIn(self.deployment.send("PUT", method["url"], content, method["headers"]).status, (200, 201, 204))
        self.assertEqual(objects.finishUpload(made["name"], asked), {})

    def finish(self, name: str, upload_id: str) -> None:
        self.held.services.queue.finishArtifact(*self.held.run, name, {"uploadId": upload_id})

    def test_from_beginning_to_end(self) -> None:
        made = self.make("public/a", self.OBJECT)
        self.assertEqual(set(made), {"storageType", "name", "projectId", "uploadId", "expires", "credentials"})
        self.assertEqual((made["storageType"], made["projectId"]), ("object", "none"))
        self.assertEqual(made["name"], f"t/{self.held.task_id}/0/public/a")
        self.upload(made)
        self.finish("public/a", made["uploadId"])
        answer = self.get("public/a")
        self.assertEqual((answer.status, answer.json["storageType"]), (303, "object"))
        self.assertEqual(self.deployment.send("GET", answer.headers["location"]).content, b"hello")

    def test_as_programs_read_it(self) -> None:
        made = self.make("conformance/a", self.OBJECT)
        self.upload(made)
        self.finish("conformance/a", made["uploadId"])
        told = self.queue.artifact(*self.held.run, "conformance/a")
        self.assertEqual((set(told), told["name"]), ({"storageType", "name", "credentials"}, made["name"]))
        reader = self.deployment.services(Credentials.from_json(told["credentials"])).objects
        found = reader.startDownload(made["name"], {"acceptDownloadMethods": {"getUrl": True}})
        self.assertEqual(self.deployment.send("GET", found["url"]).content, b"hello")
        with self.refused("InsufficientScopes"):
            reader.startDownload(made["name"] + "x", {"acceptDownloadMethods": {"getUrl": True}})

    def test_before_it_is_finished(self) -> None:
        made = self.make("public/a", self.OBJECT)
        self.assertRefused(self.get("public/a"), "ResourceNotFound")
        for call in (self.queue.artifact, self.queue.artifactInfo):
            with self.refused("ResourceNotFound"):
                call(*self.held.run, "public/a")
        # The list does not look whether they are finished.
        self.assertEqual(names(self.queue.listArtifacts(*self.held.run)["artifacts"], "name"), ["public/a"])
        with self.refused("InputError"):
            self.finish("public/a", made["uploadId"])
        with self.refused("InputError"):
            self.finish("public/a", new_id())

    def test_finishing_again(self) -> None:
        made = self.make("public/a", self.OBJECT)
        self.upload(made)
        for upload_id in (made["uploadId"], made["uploadId"], new_id()):
            self.finish("public/a", upload_id)

    def test_after_the_run(self) -> None:
        made = self.make("public/a", self.OBJECT)
        self.upload(made)
        self.held.complete()
        self.queue.finishArtifact(*self.held.run, "public/a", {"uploadId": made["uploadId"]})
        self.assertEqual(self.get("public/a").status, 303)

    def test_making_it_again(self) -> None:
        self.make("public/a", self.OBJECT)
        with self.refused("InternalServerError"):
            self.make("public/a", self.OBJECT)
