"""Artifacts that are objects: from the queue's word to the object service's and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import slugid

from tcworker.embedded.outbox import Message
from tcworker.interfaces import Credentials
from tests.embedded.objects.case import HASHES, OBJECT
from tests.embedded.queue.artifact_case import ArtifactsTestCase
from tests.embedded.wire import Answer, target_of

DAY = 24 * 60 * 60


class ObjectArtifactsTestCase(ArtifactsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.told: list[Message] = []
        self.addCleanup(self.taskcluster.outbox.listen(self.told.append))

    def make_object(self, name: str = "public/a", **more: Any) -> Any:
        return self.make(name, "object", contentType="text/plain", **more)

    def object_call(self, method: str, call: str, name: str, body: Any, credentials: Credentials) -> Answer:
        return self.call(method, f"{OBJECT}/{call}/{quote(name, safe='')}", body, credentials)

    def store(self, made: Any, content: bytes = b"hello") -> None:
        """Upload the object of an artifact, with the credentials that came with it."""
        own, name = Credentials.from_json(made["credentials"]), made["name"]
        proposed = {"putUrl": {"contentType": "text/plain", "contentLength": len(content)}}
        said = {key: made[key] for key in ("projectId", "uploadId", "expires")}
        answer = self.object_call("PUT", "upload", name, {**said, "proposedUploadMethods": proposed}, own)
        method = answer.json["uploadMethod"]["putUrl"]
        self.assertEqual(self.put(method["url"], content, Content_Encoding="identity").status, 200)
        said = {"projectId": made["projectId"], "uploadId": made["uploadId"], "hashes": HASHES}
        self.assertEqual(self.object_call("POST", "finish-upload", name, said, own).status, 200)

    def finish(self, made: Any, name: str = "public/a") -> Answer:
        path = f"{self.run_path}/artifacts/{name}"
        return self.call("PUT", f"/api/queue/v1{path}", {"uploadId": made["uploadId"]}, self.credentials)

    def publish(self, name: str = "public/a", content: bytes = b"hello") -> None:
        made = self.make_object(name)
        self.store(made, content)
        self.assertEqual(self.finish(made, name).status, 204)


class Making(ObjectArtifactsTestCase):
    def test_what_an_uploader_needs(self) -> None:
        made = self.make_object()
        self.assertEqual(set(made), {"storageType", "name", "projectId", "uploadId", "expires", "credentials"})
        run = self.run_path.removeprefix("/task/").replace("/runs", "")
        self.assertEqual((made["name"], made["projectId"]), (f"t/{run}/public/a", "none"))
        self.assertEqual(made["credentials"]["clientId"], f"artifact-upload/{run}/on/group/worker")

    def test_its_credentials_are_for_it_alone_and_for_a_day(self) -> None:
        other = self.create(taskQueueId="prov/other", deadline=self.date(days=4))
        [claim] = self.ask("queue", "POST", "/claim-work/prov%2Fother", {"workerGroup": "g", "workerId": "w"})["tasks"]
        self.run_path, self.credentials = f"/task/{other}/runs/0", Credentials.from_json(claim["credentials"])
        made = self.make_object(expires=self.date(days=3))
        own = Credentials.from_json(made["credentials"])
        said = {"proposedUploadMethods": {}, **{key: made[key] for key in ("projectId", "uploadId", "expires")}}
        self.assertEqual(self.object_call("PUT", "upload", made["name"] + "b", said, own).status, 403)
        self.assertEqual(self.object_call("PUT", "upload", made["name"], said, own).status, 200)
        # Certificates are good for five minutes more than they say.
        self.reactor.advance(DAY + 5 * 60 + 1)
        self.assertEqual(self.object_call("PUT", "upload", made["name"], said, own).status, 401)

    def test_its_name_is_taken_for_this_upload(self) -> None:
        made = self.make_object()
        said = {key: made[key] for key in ("projectId", "expires")}
        body = {**said, "uploadId": str(slugid.nice()), "proposedUploadMethods": {}}
        self.assertEqual(self.object_call("PUT", "upload", made["name"], body, self.root).status, 409)

    def test_again_is_not_foreseen_by_the_real_queue(self) -> None:
        made = self.make_object()
        self.make_in_vain(500, "InternalServerError", "object", contentType="text/plain")
        self.store(made)
        self.assertEqual(self.finish(made).status, 204)
        self.make_in_vain(500, "InternalServerError", "object", contentType="text/html")

    def test_in_place_of_something_else_or_the_other_way_round(self) -> None:
        self.make_object()
        self.make_in_vain(409, "RequestConflict", "s3")
        self.make("public/b", "s3")
        self.make_in_vain(409, "RequestConflict", "object", "public/b", contentType="text/plain")

    def test_one_that_is_refused_takes_no_name(self) -> None:
        self.make_in_vain(400, "InputError", "object", contentType="text/plain", expires=self.date(days=400))
        self.assertEqual(self.make_object()["storageType"], "object")


class Finishing(ObjectArtifactsTestCase):
    def test_not_before_its_object_is(self) -> None:
        made = self.make_object()
        answer = self.finish(made)
        self.assertRefused(answer, 400, "InputError")

    def test_not_by_another_upload(self) -> None:
        made = self.make_object()
        self.store(made)
        answer = self.finish({"uploadId": str(slugid.nice())})
        self.assertRefused(answer, 400, "InputError")

    def test_what_was_never_made(self) -> None:
        answer = self.finish({"uploadId": str(slugid.nice())})
        self.assertRefused(answer, 404, "ResourceNotFound")

    def test_again_whatever_its_upload_and_after_the_run(self) -> None:
        self.publish()
        self.ask("queue", "POST", f"{self.run_path}/completed", None, self.credentials)
        answer = self.finish({"uploadId": str(slugid.nice())})
        self.assertEqual((answer.status, answer.content), (204, b""))

    def test_everybody_is_told_each_time(self) -> None:
        made = self.make_object(contentLength=5)
        self.assertEqual(self.told, [])
        self.store(made)
        self.finish(made)
        self.finish(made)
        self.assertEqual([message.exchange for message in self.told], ["artifact-created"] * 2)
        artifact = self.told[0].payload["artifact"]
        self.assertEqual(set(artifact), {"storageType", "name", "expires", "contentType"})
        self.assertEqual((artifact["storageType"], artifact["name"]), ("object", "public/a"))

    def test_of_other_kinds_they_are_told_at_once_and_of_s3_never(self) -> None:
        for kind in ("s3", "reference", "link", "error"):
            self.make(f"public/{kind}", kind)
        told = [message.payload["artifact"]["storageType"] for message in self.told]
        self.assertEqual(told, ["reference", "link", "error"])


class Reading(ObjectArtifactsTestCase):
    def test_nothing_until_it_is_finished_but_in_lists(self) -> None:
        self.store(self.make_object())
        for path in ("artifacts", "artifact-content", "artifact-info"):
            self.assertEqual(self.get(f"{self.run_path}/{path}/public/a").status, 404, path)
        [listed] = self.get(f"{self.run_path}/artifacts").json["artifacts"]
        self.assertEqual((listed["name"], listed["storageType"]), ("public/a", "object"))

    def test_a_redirect_for_browsers(self) -> None:
        self.publish()
        answer = self.get(f"{self.task_path}/artifacts/public/a")
        self.assertEqual((answer.status, answer.json["storageType"]), (303, "object"))
        self.assertEqual(answer.headers["x-taskcluster-artifact-storage-type"], "object")
        self.assertEqual(self.send("GET", target_of(answer.headers["location"])).answer().content, b"hello")

    def test_a_name_and_credentials_for_programs(self) -> None:
        self.publish()
        said = self.get(f"{self.run_path}/artifact-content/public/a").json
        self.assertEqual(set(said), {"storageType", "name", "credentials"})
        run = self.run_path.removeprefix("/task/").replace("/runs", "")
        self.assertEqual(said["credentials"]["clientId"], f"artifact-download/{run}/public/a")
        own, body = Credentials.from_json(said["credentials"]), {"acceptDownloadMethods": {"getUrl": True}}
        answer = self.object_call("PUT", "start-download", said["name"], body, own)
        self.assertEqual(self.send("GET", target_of(answer.json["url"])).answer().content, b"hello")
        self.assertEqual(self.object_call("PUT", "start-download", "t/other", body, own).status, 403)

    def test_through_a_link(self) -> None:
        self.publish("public/target")
        self.make("public/a", "link")
        self.assertEqual(self.get(f"{self.run_path}/artifacts/public/a").json["storageType"], "object")

    def test_no_link_to_what_is_not_finished(self) -> None:
        self.make_object("public/target")
        self.make("public/a", "link")
        self.assertEqual(self.get(f"{self.run_path}/artifacts/public/a").status, 404)
