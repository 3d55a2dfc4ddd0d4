"""Downloading from the object service."""

from __future__ import annotations

from tests.embedded.objects.case import HASHES, OBJECT, ObjectsTestCase


class Downloads(ObjectsTestCase):
    def test_by_an_address_with_hashes(self) -> None:
        self.upload()
        said = self.start_download("simple", "getUrl").json
        self.assertEqual((said["method"], said["hashes"]), ("getUrl", HASHES))
        self.assertEqual(said["expires"], "2027-01-15T08:01:00.000Z")
        answer = self.get(said["url"])
        self.assertEqual((answer.content, answer.headers["content-encoding"]), (b"hello", "identity"))

    def test_the_address_is_good_for_longer_than_is_said(self) -> None:
        self.upload()
        url = self.start_download("getUrl").json["url"]
        self.reactor.advance(120)
        self.assertEqual(self.get(url).status, 200)
        self.reactor.advance(1)
        self.assertEqual(self.get(url).status, 403)

    def test_by_a_simple_address(self) -> None:
        self.upload()
        said = self.start_download("simple").json
        self.assertEqual(set(said), {"method", "url"})
        self.reactor.advance(30 * 60)
        self.assertEqual(self.get(said["url"]).content, b"hello")

    def test_by_no_method_that_there_is(self) -> None:
        self.upload()
        answer = self.start_download()
        self.assertRefused(answer, 406, "NoMatchingMethod")
        self.assertIn("getUrl, simple", answer.json["message"])
        self.assertRefused(self.start_download("pigeon"), 400, "InputValidationError")

    def test_by_a_redirect(self) -> None:
        self.upload()
        answer = self.object("GET", "download", "a/b")
        self.assertEqual(answer.status, 303)
        self.assertEqual(self.get(answer.headers["location"]).content, b"hello")

    def test_what_is_known_of_it(self) -> None:
        self.upload()
        known = {"projectId": "proj", "expires": "2027-01-25T08:00:00.000Z", "hashes": HASHES}
        self.assertEqual(self.object("GET", "metadata", "a/b").json, known)
        self.assertEqual(self.call("GET", f"{OBJECT}/metadata/a/b").json, known)

    def test_not_before_it_is_finished(self) -> None:
        self.put(self.put_url(), b"hello")
        for answer in (
            self.start_download("getUrl"),
            self.object("GET", "download", "a/b"),
            self.object("GET", "metadata", "a/b"),
            self.object("GET", "metadata", "never"),
        ):
            self.assertRefused(answer, 404, "ResourceNotFound")

    def test_for_those_only_who_may(self) -> None:
        self.upload()
        for scope, status in (("object:download:a/*", 303), ("object:download:b", 403)):
            own = self.with_scopes(scope)
            self.assertEqual(self.object("GET", "download", "a/b", credentials=own).status, status)
            # Who may not is not told whether there is such an object.
            self.assertEqual(
                self.object("GET", "download", "a/c", credentials=own).status, 404 if status == 303 else 403
            )

    def test_they_outlive_a_restart(self) -> None:
        self.upload()
        self.stop(self.taskcluster)
        self.start()
        self.assertEqual(self.get(self.start_download("getUrl").json["url"]).content, b"hello")
