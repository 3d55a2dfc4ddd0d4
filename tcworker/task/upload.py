"""Declares artifacts, and brings the bytes of one to the address that the queue gives: contracts of the queue, 1.9."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from twisted.web.iweb import IBodyProducer

from tcworker.client.http import HTTP
from tcworker.client.trouble import shown
from tcworker.errors import CallFailed, MalformedPayload, ResourceUnavailable
from tcworker.interfaces import JSON, IArchivedFile, QueueCalls
from tcworker.task.patience import Patience, Refused

IDLE = 60.0
"""Seconds in which at least a byte of an upload must move."""


@dataclass(frozen=True)
class Content:
    """What is to be uploaded.

    @ivar file: opened anew for each try.
    @ivar encoding: C{identity} or C{gzip}; what the file has already.
    @ivar length: bytes before compression.
    """

    name: str
    file: IArchivedFile
    type: str
    encoding: str
    length: int

    def declaration(self, kind: str, expires: str) -> Mapping[str, JSON]:
        """What createArtifact is told. The length is for people who list artifacts: a storage gets its own."""
        return {"storageType": kind, "contentType": self.type, "contentLength": self.length, "expires": expires}


@dataclass(frozen=True)
class Run:
    """One run's artifacts at the queue."""

    task_id: str
    run_id: int
    queue: QueueCalls
    patience: Patience

    async def create(self, name: str, body: Mapping[str, JSON]) -> JSON:
        """Declare an artifact, once. Raises L{MalformedPayload} if its name is taken by something else."""
        try:
            return await self.queue.create_artifact(self.task_id, self.run_id, name, body)
        except CallFailed as error:
            if error.status == 409:
                raise MalformedPayload(f"the queue does not take artifact {name}: {error.message}") from error
            raise

    async def declare(self, name: str, body: Mapping[str, JSON], tries: float = math.inf) -> JSON:
        """Declare an artifact, with patience."""
        return await self.patience.persist(f"artifact {name}", lambda: self.create(name, body), tries)


class S3Upload:
    """Uploads to an address that the queue gives, a fresh one for each try."""

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
                await put(self._http, address["putUrl"], headers, body)

        await self._run.patience.persist(f"artifact {content.name}", attempt)


@contextmanager
def opened(file: IArchivedFile) -> Iterator[IBodyProducer]:
    """Open a file for one upload, which may never come to it."""
    body = file.open()
    try:
        yield body
    finally:
        # Perhaps once more: the HTTP client stops what it was given.
        body.stopProducing()


async def put(http: HTTP, url: str, headers: Mapping[str, str], body: IBodyProducer) -> None:
    """Upload a body. Raises L{Refused} where another address may help, L{ResourceUnavailable} where nothing will."""
    answer = await http.request("PUT", url, headers=headers, body=body, idle=IDLE)
    if answer.status < 300:
        return
    message = f"PUT {shown(url)}: {answer.status}{_code(answer.body)}"
    # S3 says 400 to an upload that was too slow, 403 to an address that has expired, and 307 while a bucket is new.
    if answer.status in (400, 403, 408, 429) or not 400 <= answer.status < 500:
        raise Refused(message, lasting=answer.status < 500 and answer.status not in (408, 429))
    raise ResourceUnavailable(message)


def _code(body: bytes) -> str:
    """What the storage calls its error; the rest of its answer may quote what was signed."""
    found = re.search(rb"<Code>(\w{1,64})</Code>", body)
    return f" {found[1].decode()}" if found else ""
