"""An artifact with a content that is uploaded and downloaded."""

from __future__ import annotations

from tests.embedded.queue.artifact_case import ArtifactsTestCase
from tests.embedded.wire import Answer, target_of


class StorageTestCase(ArtifactsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = self.make("public/a")["putUrl"]

    def download_url(self) -> str:
        return str(self.get(f"{self.run_path}/artifact-content/public/a").json["url"])

    def download(self, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("GET", target_of(self.download_url()), headers=named).answer()
