"""What is uploaded, for which run, and what every way to do that has: contracts of the queue, 1.9."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from twisted.web.iweb import IBodyProducer

from tcworker.errors import CallFailed, MalformedPayload
from tcworker.interfaces import JSON, IArchivedFile, QueueCalls
from tcworker.task.haste import Haste
from tcworker.task.patience import Note, Patience, Rest, forget
from tcworker.waiting import pause


@dataclass(frozen=True)
class Content:
    """What is to be uploaded.

    @ivar file: opened anew for each try.
    @ivar encoding: C{identity} or C{gzip}; what the file has already.
    @ivar length: bytes before compression.
    @ivar yields: whether log and report come before it when the worker must go.
    @ivar rest: how it waits before it is tried again.
    @ivar note: hears why it has to be.
    """

    name: str
    file: IArchivedFile
    type: str
    encoding: str
    length: int
    yields: bool = True
    rest: Rest = pause
    note: Note = forget

    def declaration(self, kind: str, expires: str) -> Mapping[str, JSON]:
        """What createArtifact is told. The length is for people who list artifacts: a storage gets its own."""
        return {"storageType": kind, "contentType": self.type, "contentLength": self.length, "expires": expires}


@dataclass(frozen=True)
class Run:
    """One run's artifacts at the queue.

    @ivar patience: with what is declared, and with the log.
    """

    task_id: str
    run_id: int
    queue: QueueCalls
    patience: Patience
    haste: Haste

    def patience_with(self, *, yields: bool) -> Patience:
        """How long an upload may take that yields to log and report, or does not."""
        return replace(self.patience, time_left=self.haste.files_left) if yields else self.patience

    def patience_for(self, content: Content) -> Patience:
        """How long some content may be tried for."""
        return replace(self.patience_with(yields=content.yields), rest=content.rest, note=content.note)

    def measured(self, content: Content, body: IBodyProducer) -> AbstractContextManager[IBodyProducer]:
        """Give a body of some content that is measured on its way, and ends when it would come too late."""
        return self.haste.speed.measured(body, self.haste.judge_rest if content.yields else _never)

    async def create(self, name: str, body: Mapping[str, JSON]) -> JSON:
        """Declare an artifact, once. Raises L{MalformedPayload} if its name is taken by something else."""
        try:
            return await self.queue.create_artifact(self.task_id, self.run_id, name, body)
        except CallFailed as error:
            if error.status == 409:
                raise MalformedPayload(f"the queue does not take artifact {name}: {error.message}") from error
            raise

    async def declare(self, name: str, body: Mapping[str, JSON]) -> JSON:
        """Declare an artifact, with patience."""
        return await self.patience.persist(f"artifact {name}", lambda: self.create(name, body))


def _never(left: int) -> None:
    """The log is sent to its end."""


class Upload(Protocol):
    """A way to store content.

    @ivar encodes: whether it may be stored compressed, with a content encoding that says so.
    """

    encodes: bool

    async def send(self, content: Content, expires: str) -> None:
        """Declare the artifact, and upload it."""
