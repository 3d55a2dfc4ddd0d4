"""A server whose object service is called."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import slugid

from tcworker.interfaces import Credentials
from tests.embedded.wire import Answer, WireTestCase, target_of

OBJECT = "/api/object/v1"
HASHES = {"sha256": "a" * 64, "sha512": "b" * 128}


def inline(data: bytes | str, content_type: str = "text/plain") -> dict[str, Any]:
    """Propose to store small data at once."""
    text = data if isinstance(data, str) else b64encode(data).decode()
    return {"dataInline": {"contentType": content_type, "objectData": text}}


class ObjectsTestCase(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.upload_id = str(slugid.nice())

    def upload_body(self, **more: Any) -> dict[str, Any]:
        return {
            "projectId": "proj",
            "uploadId": self.upload_id,
            "expires": self.date(days=10),
            "proposedUploadMethods": inline(b"hello"),
            **more,
        }

    def object(
        self, method: str, call: str, name: str, body: Any = None, credentials: Credentials | None = None
    ) -> Answer:
        return self.call(method, f"{OBJECT}/{call}/{quote(name, safe='')}", body, credentials)

    def create_upload(self, name: str = "a/b", **more: Any) -> Answer:
        return self.object("PUT", "upload", name, self.upload_body(**more))

    def finish_upload(self, name: str = "a/b", **more: Any) -> Answer:
        body = {"projectId": "proj", "uploadId": self.upload_id, "hashes": HASHES, **more}
        return self.object("POST", "finish-upload", name, body)

    def start_download(self, *methods: str, name: str = "a/b") -> Answer:
        body = {"acceptDownloadMethods": dict.fromkeys(methods, True)}
        return self.object("PUT", "start-download", name, body)

    def put_url(self, name: str = "a/b", length: int = 5) -> Any:
        """Begin an upload by C{putUrl}; gives what is said of it."""
        proposed = {"putUrl": {"contentType": "text/plain", "contentLength": length}}
        return self.create_upload(name, proposedUploadMethods=proposed).json["uploadMethod"]["putUrl"]

    def put(self, method: Any, content: bytes, **headers: str) -> Answer:
        said = {name: value for name, value in method["headers"].items() if name != "Content-Length"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("PUT", target_of(method["url"]), content, {**said, **named}).answer()

    def upload(self, content: bytes = b"hello", name: str = "a/b") -> None:
        """Upload an object, all of it."""
        self.assertEqual(self.put(self.put_url(name, len(content)), content).status, 200)
        self.assertEqual(self.finish_upload(name).status, 200)

    def get(self, url: str) -> Answer:
        return self.send("GET", target_of(url)).answer()
