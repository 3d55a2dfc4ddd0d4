"""What is uploaded, for which run, and what every way to do that has: contracts of the queue, 1.9."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tcworker.errors import CallFailed, MalformedPayload
from tcworker.interfaces import JSON, IArchivedFile, QueueCalls
from tcworker.task.patience import Patience


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


class Upload(Protocol):
    """A way to store content.

    @ivar encodes: whether it may be stored compressed, with a content encoding that says so.
    """

    encodes: bool

    async def send(self, content: Content, expires: str) -> None:
        """Declare the artifact, and upload it."""
