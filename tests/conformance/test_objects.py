"""The object service: uploads and downloads (contracts of the queue, 6.1 and 6.2)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from tests.conformance.case import ConformanceTestCase, date, new_id, random_name, when

API = "/api/object/v1"
CONTENT = b"some content"
NONE: Mapping[str, Any] = {}


def hashes(content: bytes) -> dict[str, str]:
    return {name: hashlib.new(name, content).hexdigest() for name in ("sha256", "sha512")}


class ObjectTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.name = f"conformance/{random_name()}/a b"
        self.expires = date(hours=1)
        self.upload_id = new_id()
        self.project = {"projectId": "conformance"}
        self.objects = self.root.objects

    def begin(self, methods: Mapping[str, Any] = NONE, **more: Any) -> Any:
        asked = {**self.project, "uploadId": self.upload_id, "expires": self.expires}
        return self.objects.createUpload(self.name, {**asked, "proposedUploadMethods": dict(methods), **more})

    def finish(self, **more: Any) -> Any:
        return self.objects.finishUpload(self.name, {**self.project, "uploadId": self.upload_id, **more})

    def inline(self, content: bytes = CONTENT) -> dict[str, Any]:
        return {"dataInline": {"contentType": "text/plain", "objectData": b64encode(content).decode()}}

    def by_url(self, content: bytes = CONTENT) -> dict[str, Any]:
        return {"putUrl": {"contentType": "text/plain", "contentLength": len(content)}}

    def store(self, content: bytes = CONTENT) -> None:
        self.begin(self.inline(content))
        self.finish(hashes=hashes(content))

    def download(self, *methods: str) -> Any:
        return self.objects.startDownload(self.name, {"acceptDownloadMethods": dict.fromkeys(methods, True)})


class Uploads(ObjectTestCase):
    def test_inline(self) -> None:
        begun = self.begin(self.inline())
        self.assertEqual(begun["uploadMethod"], {"dataInline": True})
        self.assertEqual(
            {name: begun[name] for name in ("projectId", "uploadId")},
            {
                **self.project,
                "uploadId": self.upload_id,
            },
        )
        self.assertEqual(self.finish(hashes=hashes(CONTENT)), {})
        answer = self.deployment.send("GET", self.download("simple")["url"])
        self.assertEqual((answer.content, answer.headers["content-type"]), (CONTENT, "text/plain"))

    def test_by_a_url(self) -> None:
        method = self.begin(self.by_url())["uploadMethod"]["putUrl"]
        self.assertEqual(set(method), {"url", "expires", "headers"})
        wanted = {"Content-Type": "text/plain", "Content-Length": str(len(CONTENT)), "Content-Encoding": "identity"}
        self.assertLessEqual(wanted.items(), {key: str(value) for key, value in method["headers"].items()}.items())
        self.assertIn(self.deployment.send("PUT", method["url"], CONTENT, method["headers"]).status, (200, 201, 204))
        self.finish()
        self.assertEqual(self.deployment.send("GET", self.download("simple")["url"]).content, CONTENT)

    def test_which_is_preferred(self) -> None:
        self.assertEqual(self.begin({**self.by_url(), **self.inline()})["uploadMethod"], {"dataInline": True})

    def test_none_proposed(self) -> None:
        self.assertEqual(self.begin({})["uploadMethod"], {})
        self.assertEqual(set(self.begin(self.by_url())["uploadMethod"]), {"putUrl"})

    def test_the_same_again_until_it_is_finished(self) -> None:
        for _ in range(2):
            self.begin(self.inline())
        self.finish()
        with self.refused("RequestConflict"):
            self.begin(self.inline())

    def test_anything_else_of_that_name(self) -> None:
        self.begin()
        for change in ({"uploadId": new_id()}, {"projectId": "other"}, {"expires": date(hours=2)}):
            with self.refused("RequestConflict"):
                self.begin(**change)

    def test_hashes_that_do_not_agree(self) -> None:
        self.begin(self.inline(), hashes=hashes(CONTENT))
        with self.refused("RequestConflict"):
            self.begin(self.inline(), hashes=hashes(b"other"))
        with self.refused("RequestConflict"):
            self.finish(hashes=hashes(b"other"))
        self.finish(hashes=hashes(CONTENT))

    def test_finishing_again(self) -> None:
        self.begin(self.inline())
        self.finish(hashes={"sha256": hashes(CONTENT)["sha256"]})
        self.finish()
        self.finish(hashes={"sha256": hashes(CONTENT)["sha256"]})
        for other in ({"sha256": hashes(b"other")["sha256"]}, {"sha512": hashes(CONTENT)["sha512"]}):
            with self.refused("RequestConflict"):
                self.finish(hashes=other)

    def test_finishing_what_is_somebody_else_s(self) -> None:
        with self.refused("ResourceNotFound"):
            self.finish()
        self.begin(self.inline())
        with self.refused("InputError"):
            self.finish(projectId="other")
        with self.refused("RequestConflict"):
            self.finish(uploadId=new_id())

    def test_what_must_be_said(self) -> None:
        wrong: list[dict[str, Any]] = [
            {"uploadId": "x"},
            {"projectId": ""},
            {"expires": "soon"},
            {"more": 1},
            {"hashes": {"sha256": "short"}},
            {"proposedUploadMethods": {"dataInline": {"contentType": "a/b"}}},
            {"proposedUploadMethods": {"putUrl": {"contentType": "a/b", "contentLength": -1}}},
            {"proposedUploadMethods": self.inline(b"x" * 8200)},
        ]
        for change in wrong:
            with self.subTest(change=str(change)[:80]), self.refused("InputValidationError"):
                self.begin(**change)

    def test_a_name_with_a_raw_slash(self) -> None:
        body = {**self.project, "uploadId": self.upload_id, "expires": self.expires, "proposedUploadMethods": {}}
        answer = self.call("PUT", f"{API}/upload/conformance/{random_name()}", body)
        self.assertEqual((answer.status, answer.json), (404, {"error": "Not found"}))

    def test_who_may(self) -> None:
        scope = f"object:upload:conformance:{self.name}"
        for scopes in ([], ["object:upload:other:*"], [f"{scope}x"]):
            self.objects = self.limited(*scopes).objects
            with self.refused("InsufficientScopes"):
                self.begin()
        self.objects = self.limited(scope).objects
        self.begin(self.inline())
        self.finish()


class Downloads(ObjectTestCase):
    def test_by_a_url_that_is_checked(self) -> None:
        self.store()
        told = self.download("getUrl", "simple")
        self.assertEqual(set(told), {"method", "url", "expires", "hashes"})
        self.assertEqual((told["method"], told["hashes"]), ("getUrl", hashes(CONTENT)))
        answer = self.deployment.send("GET", told["url"], headers={"Accept-Encoding": "identity"})
        self.assertEqual((answer.status, answer.content), (200, CONTENT))
        part = self.deployment.send("GET", told["url"], headers={"Range": "bytes=5-"})
        self.assertEqual((part.status, part.content), (206, CONTENT[5:]))

    def test_simply(self) -> None:
        self.store()
        told = self.download("simple")
        self.assertEqual((set(told), told["method"]), ({"method", "url"}, "simple"))

    def test_no_method_in_common(self) -> None:
        self.store()
        with self.refused("NoMatchingMethod"):
            self.download()

    def test_what_is_not_there_or_not_finished(self) -> None:
        for _ in range(2):
            with self.refused("ResourceNotFound"):
                self.download("simple")
            with self.refused("ResourceNotFound"):
                self.objects.object(self.name)
            self.begin(self.inline())

    def test_what_is_known_of_it(self) -> None:
        self.store()
        told = self.objects.object(self.name)
        self.assertEqual(set(told), {"projectId", "expires", "hashes"})
        self.assertEqual((told["projectId"], told["hashes"]), ("conformance", hashes(CONTENT)))
        self.assertAlmostEqual(when(told["expires"]), when(self.expires), 2)

    def test_by_one_address(self) -> None:
        self.store()
        url = self.objects.buildSignedUrl("download", self.name)
        answer = self.deployment.send("GET", url[len(self.deployment.root_url) :])
        self.assertEqual(answer.status, 303)
        self.assertEqual(self.deployment.send("GET", answer.headers["location"]).content, CONTENT)

    def test_slashes_of_both_kinds(self) -> None:
        self.store()
        for name in (self.name.replace(" ", "%20"), self.name.replace(" ", "%20").replace("/", "%2F")):
            self.assertEqual(self.call("GET", f"{API}/metadata/{name}").status, 200)

    def test_who_may(self) -> None:
        self.store()
        self.objects = self.limited("object:download:other").objects
        with self.refused("InsufficientScopes"):
            self.download("simple")
        self.objects = self.limited(f"object:download:{self.name}").objects
        self.download("simple")
        self.objects.object(self.name)
