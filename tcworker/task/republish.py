"""Content that is published again and again under one name, each time whole: contracts of the queue, 1.9."""

from __future__ import annotations

from collections.abc import Mapping

from tcworker.client.http import HTTP
from tcworker.errors import MalformedPayload
from tcworker.interfaces import JSON, GzippedArtifact
from tcworker.task.claim import write_date
from tcworker.task.put import IDLE, opened, put
from tcworker.task.upload import Content, Run


class Republisher:
    """Publishes a run's content in the place of earlier content; to S3, for an object is what it is for ever.

    Each is tried once: whoever publishes again and again has something newer to try again with.
    """

    def __init__(self, http: HTTP, run: Run) -> None:
        self._http = http
        self._run = run
        self._addresses: dict[str, Mapping[str, str]] = {}

    async def publish(self, artifact: GzippedArtifact) -> None:
        """Publish it; see L{tcworker.task.context.IRunContext.republish}."""
        content = Content(artifact.name, artifact.file, artifact.content_type, "gzip", artifact.length)
        with opened(content.file) as body:
            address = await self._address(artifact.name, content.declaration("s3", write_date(artifact.expires)))
            headers = {"Content-Type": address["contentType"], "Content-Encoding": content.encoding}
            await put(self._http, address["putUrl"], headers, body, self._run.haste.silence(IDLE))

    async def _address(self, name: str, declaration: Mapping[str, JSON]) -> Mapping[str, str]:
        try:
            self._addresses[name] = await self._run.create(name, declaration)
        except MalformedPayload:
            # Of a run that is over nothing is declared any more, but what was declared may still come.
            if name not in self._addresses:
                raise
        return self._addresses[name]
