"""A run that has artifacts."""

from __future__ import annotations

from typing import Any

from tcworker.interfaces import Credentials
from tests.embedded.wire import QUEUE, Answer, WireTestCase, target_of

TEXT = {"Content-Type": "text/plain"}


class ArtifactsTestCase(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.run_path, self.credentials = self.run_of_own()
        self.task_path = self.run_path.removesuffix("/runs/0")

    def body(self, kind: str, **more: Any) -> dict[str, Any]:
        kinds = {
            "s3": {"contentType": "text/plain"},
            "reference": {"url": "https://example.com/x", "contentType": "text/html"},
            "link": {"artifact": "public/target"},
            "error": {"reason": "file-missing-on-worker", "message": "not there"},
        }
        return {"storageType": kind, "expires": self.date(minutes=30), **kinds.get(kind, {}), **more}

    def make(self, name: str, kind: str = "s3", **more: Any) -> Any:
        path = f"{self.run_path}/artifacts/{name}"
        return self.ask("queue", "POST", path, self.body(kind, **more), self.credentials)

    def make_in_vain(self, status: int, code: str, kind: str = "s3", name: str = "public/a", **more: Any) -> str:
        path = f"{self.run_path}/artifacts/{name}"
        return self.refused("queue", status, code, "POST", path, self.body(kind, **more), self.credentials)

    def put(self, url: str, content: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("PUT", target_of(url), content, {**TEXT, **named}).answer()

    def get(self, path: str, credentials: Credentials | None = None) -> Answer:
        """Ask the queue, as nobody unless credentials are given."""
        return self.begin("GET", QUEUE + path, None, credentials).answer()
