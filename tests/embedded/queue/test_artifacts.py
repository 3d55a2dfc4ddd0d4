"""Making artifacts and finding them."""

from __future__ import annotations

from tcworker.embedded.queue.artifact_reading import MOST_LINKS
from tests.embedded.queue.artifact_case import ArtifactsTestCase
from tests.embedded.wire import QUEUE, target_of


class Making(ArtifactsTestCase):
    def test_an_address_to_put_it_to(self) -> None:
        made = self.make("public/a")
        self.assertEqual(set(made), {"storageType", "putUrl", "expires", "contentType"})
        self.assertEqual((made["contentType"], made["expires"]), ("text/plain", "2027-01-15T08:45:00.000Z"))
        self.assertTrue(made["putUrl"].startswith(self.taskcluster.root_url))

    def test_the_other_kinds_need_none(self) -> None:
        for kind in ("reference", "link", "error"):
            self.assertEqual(self.make(f"public/{kind}", kind), {"storageType": kind})

    def test_again_gives_a_fresh_address(self) -> None:
        first = self.make("public/a", expires=self.date(minutes=30))
        self.reactor.advance(60)
        self.assertNotEqual(self.make("public/a")["putUrl"], first["putUrl"])

    def test_again_as_something_else(self) -> None:
        self.make("public/a")
        self.make_in_vain(409, "RequestConflict", contentType="text/html")
        self.make_in_vain(409, "RequestConflict", expires=self.date(minutes=29))
        self.make_in_vain(409, "RequestConflict", "reference", contentType="text/plain")

    def test_a_reference_may_change_and_become_a_link(self) -> None:
        self.make("public/a", "reference")
        self.make("public/a", "reference", url="https://example.com/y")
        self.make("public/a", "link")
        self.make_in_vain(409, "RequestConflict", "link", artifact="public/other")
        self.make_in_vain(409, "RequestConflict", "reference", contentType="application/binary")

    def test_type_and_length_stay_what_was_said_first(self) -> None:
        self.make("public/a", "reference")
        self.make("public/a", "link", contentType="text/plain")
        self.make("public/b", contentLength=3)
        self.make("public/b", contentLength=4)
        listed = self.get(f"{self.run_path}/artifacts").json["artifacts"]
        known = [(one["storageType"], one["contentType"], one.get("contentLength")) for one in listed]
        self.assertEqual(known, [("link", "text/html", None), ("s3", "text/plain", 3)])

    def test_bodies_that_are_no_artifact(self) -> None:
        for kind, more in (
            ("s3", {"contentType": 3}),
            ("s3", {"url": "https://example.com"}),
            ("reference", {"url": "no address"}),
            ("error", {"reason": "because"}),
            ("object", {}),
            ("link", {"artifact": ""}),
        ):
            self.make_in_vain(400, "InputValidationError", kind, **more)

    def test_runs_that_cannot_have_it_are_bad_input(self) -> None:
        other = self.create()
        for run in (f"/task/{other}/runs/0", f"/task/{other}/runs/1", "/task/AAAAAAAAQAGAAAAAAAAAAA/runs/0"):
            path = f"{run}/artifacts/public/a"
            self.refused("queue", 400, "InputError", "POST", path, self.body("s3"))

    def test_dates_that_cannot_be(self) -> None:
        self.make_in_vain(400, "InputError", expires=self.date(minutes=-16))
        self.make_in_vain(400, "InputError", expires=self.date(days=400))

    def test_not_after_the_run_is_reported(self) -> None:
        self.ask("queue", "POST", f"{self.run_path}/completed", None, self.credentials)
        self.make_in_vain(409, "RequestConflict")

    def test_for_25_minutes_after_an_exception(self) -> None:
        self.ask("queue", "POST", f"{self.task_path}/cancel")
        self.reactor.advance(25 * 60 - 1)
        path = f"{self.run_path}/artifacts/public/a"
        self.ask("queue", "POST", path, self.body("s3"))
        self.reactor.advance(1)
        self.refused("queue", 409, "RequestConflict", "POST", path, self.body("s3"))

    def test_nothing_of_these_kinds_is_finished(self) -> None:
        path, body = f"{self.run_path}/artifacts/public/a", {"uploadId": "AAAAAAAAQAGAAAAAAAAAAA"}
        self.refused("queue", 404, "ResourceNotFound", "PUT", path, body, self.credentials)
        self.make("public/a")
        self.refused("queue", 400, "InputError", "PUT", path, body, self.credentials)


class Finding(ArtifactsTestCase):
    def test_a_redirect_for_browsers(self) -> None:
        self.put(self.make("public/a%20b")["putUrl"], b"hello")
        for path in (self.run_path, self.task_path):
            answer = self.get(f"{path}/artifacts/public/a%20b")
            self.assertEqual((answer.status, answer.json["storageType"]), (303, "s3"))
            self.assertEqual(answer.headers["x-taskcluster-artifact-storage-type"], "s3")
            self.assertEqual(answer.headers["location"], answer.json["url"])
            self.assertEqual(self.send("GET", target_of(answer.json["url"])).answer().content, b"hello")

    def test_an_address_for_programs(self) -> None:
        self.make("public/a", "reference")
        for path in (self.run_path, self.task_path):
            answer = self.get(f"{path}/artifact-content/public/a")
            self.assertEqual(answer.json, {"storageType": "reference", "url": "https://example.com/x"})

    def test_an_error_is_one_for_browsers_and_an_answer_for_programs(self) -> None:
        self.make("public/e", "error")
        said = {"reason": "file-missing-on-worker", "message": "not there"}
        answer = self.get(f"{self.task_path}/artifacts/public/e")
        self.assertEqual((answer.status, answer.json), (424, said))
        answer = self.get(f"{self.task_path}/artifact-content/public/e")
        self.assertEqual((answer.status, answer.json), (200, {"storageType": "error", **said}))

    def test_links_are_followed(self) -> None:
        self.make("public/target", "reference")
        self.make("public/near", "link")
        self.make("public/far", "link", artifact="public/near")
        self.assertEqual(self.get(f"{self.task_path}/artifact-content/public/far").json["storageType"], "reference")

    def test_a_link_to_itself(self) -> None:
        self.make("public/a", "link", artifact="public/b")
        self.make("public/b", "link", artifact="public/a")
        self.assertEqual(self.get(f"{self.task_path}/artifacts/public/a").code, "InputError")

    def test_a_link_to_nothing(self) -> None:
        self.make("public/a", "link")
        self.assertEqual(self.get(f"{self.task_path}/artifacts/public/a").code, "ResourceNotFound")

    def test_every_name_on_the_way_must_be_permitted(self) -> None:
        self.make("private/target", "reference")
        self.make("public/a", "link", artifact="private/target")
        reader = self.with_scopes("queue:get-artifact:private/*")
        for family in ("artifacts", "artifact-content"):
            path = f"{self.run_path}/{family}/public/a"
            self.assertEqual(self.get(path).code, "InsufficientScopes")
            self.assertLess(self.get(path, reader).status, 400)

    def test_the_latest_run_is_meant(self) -> None:
        self.make("public/a", "reference")
        self.ask("queue", "POST", f"{self.run_path}/exception", {"reason": "worker-shutdown"}, self.credentials)
        self.assertEqual(self.get(f"{self.task_path}/artifacts/public/a").status, 404)
        self.assertEqual(self.get(f"{self.run_path}/artifacts/public/a").status, 303)

    def test_what_is_not_there(self) -> None:
        for path in (f"{self.run_path}/artifacts/public/a", "/task/AAAAAAAAQAGAAAAAAAAAAA/artifacts/public/a"):
            self.assertEqual(self.get(path).status, 404)
        self.assertEqual(self.get("/task/AAAAAAAAQAGAAAAAAAAAAA/artifacts/private").status, 403)

    def test_who_may_not_is_not_told_what_is_there(self) -> None:
        self.make("private/a", "reference")
        self.make("public/to-nothing", "link", artifact="private/none")
        for name in ("private/a", "private/none", "public/to-nothing"):
            for family in ("artifacts", "artifact-content"):
                self.assertEqual(self.get(f"{self.run_path}/{family}/{name}").status, 403)
                self.assertEqual(self.get(f"{self.task_path}/{family}/{name}").status, 403)
        # The latest run is looked for first where programs ask.
        self.assertEqual(self.get("/task/AAAAAAAAQAGAAAAAAAAAAA/artifact-content/private").status, 404)

    def test_very_many_links(self) -> None:
        for number in range(MOST_LINKS + 1):
            self.make(f"public/{number}", "link", artifact=f"public/{number + 1}")
        self.make(f"public/{MOST_LINKS + 1}", "reference")
        self.assertEqual(self.get(f"{self.task_path}/artifacts/public/0").code, "InputError")
        self.assertEqual(self.get(f"{self.task_path}/artifacts/public/1").status, 303)

    def test_the_header_that_skips_a_cdn_skips_none(self) -> None:
        self.make("public/a")
        path = f"{QUEUE}{self.run_path}/artifacts/public/a"
        self.assertEqual(self.send("GET", path, headers={"x-taskcluster-skip-cdn": "true"}).answer().status, 303)

    def test_what_has_expired(self) -> None:
        self.make("public/a", "reference")
        self.reactor.advance(31 * 60)
        answer = self.get(f"{self.run_path}/artifacts/public/a")
        self.assertRefused(answer, 410, "ResourceExpired")


class Listing(ArtifactsTestCase):
    def test_by_name_in_pages(self) -> None:
        for name in ("c", "a", "b"):
            self.make(name, contentLength=3)
        page = self.get(f"{self.run_path}/artifacts?limit=2").json
        rest = self.get(f"{self.task_path}/artifacts?limit=2&continuationToken={page['continuationToken']}").json
        self.assertEqual([one["name"] for one in page["artifacts"] + rest["artifacts"]], ["a", "b", "c"])
        self.assertNotIn("continuationToken", rest)

    def test_what_is_known_of_one(self) -> None:
        self.make("x/y", contentLength=3)
        known = {
            "storageType": "s3",
            "name": "x/y",
            "expires": "2027-01-15T08:30:00.000Z",
            "contentType": "text/plain",
            "contentLength": 3,
        }
        for path in (f"{self.run_path}/artifact-info/x%2Fy", f"{self.task_path}/artifact-info/x/y"):
            self.assertEqual(self.get(path).json, known)

    def test_a_link_is_shown_as_one(self) -> None:
        self.make("a", "link")
        [shown] = self.get(f"{self.run_path}/artifacts").json["artifacts"]
        self.assertEqual((shown["storageType"], shown["contentType"]), ("link", "application/binary"))

    def test_of_a_run_that_never_was(self) -> None:
        self.assertEqual(self.get(f"{self.task_path}/runs/1/artifacts").status, 404)
