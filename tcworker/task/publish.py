"""The one place where artifacts leave the machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from posixpath import basename

from twisted.internet.defer import CancelledError, DeferredSemaphore

from tcworker.errors import Cause, NamingConflict, ResourceUnavailable, TooLate
from tcworker.interfaces import (
    JSON,
    Artifact,
    ErrorArtifact,
    FileArtifact,
    GzippedArtifact,
    IArchivedFile,
    LinkArtifact,
    ReferenceArtifact,
)
from tcworker.task.claim import write_date
from tcworker.task.content import content_encoding, content_type
from tcworker.task.jobs import Share
from tcworker.task.patience import Rest, Trouble
from tcworker.task.transform import Coder, Gunzip, Gzip, transform
from tcworker.task.upload import Content, Run, Upload
from tcworker.task.upload_slot import UploadSlot
from tcworker.waiting import Executor, pause

_LONGEST_MESSAGE = 4096

_MOST_THREADS = 2
"""How many of the worker's threads compress one run's artifacts at a time."""


class Publisher:
    """Publishes the artifacts of one run.

    @param upload: how content is stored.
    @param folder: for content that is compressed on its way.
    @param threads: of the whole worker.
    @param slots: of the whole worker, for how many artifacts may be uploaded side by side.
    @param own_slots: the same for this run.
    """

    def __init__(
        self,
        run: Run,
        upload: Upload,
        folder: str,
        threads: Executor,
        slots: DeferredSemaphore,
        own_slots: DeferredSemaphore,
    ) -> None:
        self._run = run
        self._upload = upload
        self._folder = folder
        self._threads = Share(threads, _MOST_THREADS)
        self._slots = slots
        self._own_slots = own_slots
        self._taken: dict[str, Artifact | None] = {}
        self._unfinished: dict[str, str] = {}

    def unfinished(self) -> Mapping[str, str]:
        """See L{tcworker.task.context.IRunContext.unfinished}."""
        return dict(sorted(self._unfinished.items()))

    async def publish(self, artifact: Artifact) -> None:
        """See L{tcworker.interfaces.ITaskContext.publish}."""
        self._take_name(artifact)
        try:
            await self._store(artifact)
        except BaseException:
            # The same artifact may be tried again.
            del self._taken[artifact.name]
            raise

    def _take_name(self, artifact: Artifact) -> None:
        """Refuse a second artifact of the same name; the queue itself would let it take the first one's place."""
        taken = self._taken.get(artifact.name, artifact)
        replaced = isinstance(taken, ReferenceArtifact) and isinstance(artifact, ReferenceArtifact | LinkArtifact)
        if taken != artifact and not replaced:
            raise NamingConflict(f"two artifacts have the name {artifact.name}; give them two")
        # Of content no more than its name is kept, for there may be very many.
        self._taken[artifact.name] = None if isinstance(artifact, FileArtifact | GzippedArtifact) else artifact

    async def _store(self, artifact: Artifact) -> None:
        match artifact:
            case FileArtifact():
                await self._store_file(artifact)
            case GzippedArtifact():
                # The log, without which nobody knows what happened: a neighbour's artifacts may take for ever.
                await self._store_content(artifact)
            case _:
                await self._run.declare(artifact.name, _declaration(artifact))

    async def _store_file(self, artifact: FileArtifact) -> None:
        """Publish a file. Raises L{TooLate} where it cannot be done before the worker must be gone."""
        haste = self._run.haste
        haste.check(artifact.file.size)
        try:
            if haste.begun:
                # Small ones shall not wait for large ones now; whoever publishes them has few in hand at a time.
                await self._store_content(artifact)
            else:
                # Compressing is within the slot as well, or the disk would be full of what waits for its upload.
                async with self._own_slots, UploadSlot(self._slots, haste) as slot:
                    await self._store_content(artifact, slot.rest)
        except ResourceUnavailable as error:
            if not haste.begun or error.cause not in (Cause.OUT_OF_TIME, Cause.TASKCLUSTER_AWAY):
                raise
            # With more time there would have been another try.
            why = f"the worker must go, and there was no time for more: {error}"
            raise TooLate(why, evidence=error.evidence) from error

    async def _store_content(self, artifact: FileArtifact | GzippedArtifact, rest: Rest = pause) -> None:
        has, wanted = self._encodings(artifact)
        kind = artifact.content_type or content_type(artifact.file.path, artifact.name)
        length = artifact.length if isinstance(artifact, GzippedArtifact) else artifact.file.size
        file = artifact.file if has == wanted else await self._turn(artifact, wanted)
        try:
            yields = isinstance(artifact, FileArtifact)
            note = partial(self._note, artifact.name)
            content = Content(artifact.name, file, kind, wanted, length, yields=yields, rest=rest, note=note)
            await self._send(content, write_date(artifact.expires))
        finally:
            if file is not artifact.file:
                file.close()

    async def _send(self, content: Content, expires: str) -> None:
        if content.yields:
            self._unfinished[content.name] = ""
        try:
            await self._upload.send(content, expires)
        except CancelledError:
            # Whoever wanted it published says nothing of it any more.
            raise
        except BaseException:
            self._unfinished.pop(content.name, None)
            raise
        self._unfinished.pop(content.name, None)

    def _note(self, name: str, trouble: Trouble) -> None:
        # Of the log nobody asks: it is what tells about the others.
        if name in self._unfinished:
            self._unfinished[name] = str(trouble)

    def _encodings(self, artifact: FileArtifact | GzippedArtifact) -> tuple[str, str]:
        """What content has, and what it shall be stored as."""
        if isinstance(artifact, GzippedArtifact):
            return "gzip", "gzip" if self._upload.encodes else "identity"
        # Objects have no encoding: whoever downloads one gets what its hashes are of.
        wanted = artifact.content_encoding or content_encoding(artifact.file.path)
        return "identity", wanted if self._upload.encodes else "identity"

    async def _turn(self, artifact: FileArtifact | GzippedArtifact, wanted: str) -> IArchivedFile:
        coder: Coder = Gzip(basename(artifact.file.path)) if wanted == "gzip" else Gunzip()
        turning = transform(artifact.file, coder, self._folder, self._threads)
        # A file with holes may be larger than any disk.
        patience = self._run.patience_with(yields=isinstance(artifact, FileArtifact))
        return await patience.within(f"artifact {artifact.name}", turning)


def _declaration(artifact: LinkArtifact | ReferenceArtifact | ErrorArtifact) -> Mapping[str, JSON]:
    expires = {"expires": write_date(artifact.expires)}
    match artifact:
        case LinkArtifact():
            kind = {"storageType": "link", "artifact": artifact.target, "contentType": artifact.content_type}
        case ReferenceArtifact():
            kind = {"storageType": "reference", "url": artifact.url, "contentType": artifact.content_type}
        case ErrorArtifact():
            kind = {"storageType": "error", "reason": artifact.reason, "message": artifact.message[:_LONGEST_MESSAGE]}
    return {**kind, **expires}
