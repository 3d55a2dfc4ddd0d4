"""What tests of artifacts share: a run that is claimed, and how to make, put and get its artifacts."""

from __future__ import annotations

from typing import Any

from tests.conformance.callers import Answer
from tests.conformance.case import ConformanceTestCase, Held, date

ERROR = {"storageType": "error", "reason": "file-missing-on-worker", "message": "It was never made."}
REFERENCE = {"storageType": "reference", "url": "https://example.com/a?b=c", "contentType": "text/html"}
S3 = {"storageType": "s3", "contentType": "text/plain; charset=utf-8"}


class ArtifactTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.held = self.running()

    def make(self, name: str, artifact: dict[str, Any], held: Held | None = None, **more: Any) -> Any:
        run = held or self.held
        return run.services.queue.createArtifact(*run.run, name, {"expires": date(hours=1), **artifact, **more})

    def link(self, name: str, target: str, **more: Any) -> Any:
        return self.make(name, {"storageType": "link", "artifact": target, "contentType": "text/plain", **more})

    def put(self, made: Any, content: bytes, **headers: str) -> Answer:
        sent = {"Content-Type": made["contentType"], **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.deployment.send("PUT", made["putUrl"], content, sent)

    def store(self, name: str, content: bytes, **headers: str) -> None:
        answer = self.put(self.make(name, S3), content, **headers)
        self.assertEqual(answer.status, 200, answer.content)

    def get(self, name: str, credentials: Any = None, latest: bool = False) -> Answer:
        run = self.held.path.rpartition("/runs")[0] if latest else self.held.path
        return self.call("GET", f"{run}/artifacts/{name}", credentials=credentials)

    def fetch(self, name: str, **headers: str) -> Answer:
        """Follow the address of an artifact, as anybody does: without a signature."""
        found = self.get(name)
        self.assertEqual(found.status, 303, found.content)
        sent = {header.replace("_", "-"): text for header, text in headers.items()}
        return self.deployment.send("GET", found.headers["location"], headers=sent)
