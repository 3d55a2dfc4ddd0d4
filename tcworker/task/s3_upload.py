"""Brings an artifact's bytes to S3, or what works like it: contracts of the queue, 1.9."""

from __future__ import annotations

from tcworker.client.http import HTTP
from tcworker.task.put import IDLE, opened, put
from tcworker.task.upload import Content, Run


class S3Upload:
    """Uploads to an address that the queue gives, a fresh one for each try."""

    encodes = True

    def __init__(self, http: HTTP, run: Run) -> None:
        self._http = http
        self._run = run

    async def send(self, content: Content, expires: str) -> None:
        """Declare the artifact and upload it."""
        declaration = content.declaration("s3", expires)

        async def attempt() -> None:
            # Opened first, for a declaration cannot be taken back when the file turns out to be gone.
            with opened(content.file) as body:
                address = await self._run.create(content.name, declaration)
                # The address is signed for the type as the queue has it; any other would be refused.
                headers = {"Content-Type": address["contentType"], "Content-Encoding": content.encoding}
                with self._run.measured(content, body) as measured:
                    await put(self._http, address["putUrl"], headers, measured, self._run.haste.silence(IDLE))

        await self._run.patience_for(content).persist(f"artifact {content.name}", attempt)
