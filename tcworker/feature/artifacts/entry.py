"""One entry of the payload on its way out."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import CancelledError, DeferredSemaphore
from twisted.logger import Logger

from tcworker.errors import ArchiveError, Cause, MalformedPayload, NamingConflict, TaskError, TaskFailed
from tcworker.feature.artifacts.names import Names
from tcworker.feature.artifacts.telling import MANY, Faults, Lines
from tcworker.feature.artifacts.wanted import Wanted, shown
from tcworker.interfaces import ArchiveFault, ErrorArtifact, FileArtifact, IArchivedFile, IResult, ITaskContext
from tcworker.task.forms import LONGEST_ARTIFACT_NAME, is_artifact_name
from tcworker.waiting import Loose

_log = Logger()


@dataclass(frozen=True)
class Shared:
    """What the entries of one run share.

    @ivar slots: for the files that are in hand at a time.
    @ivar lines: about each entry.
    """

    context: ITaskContext
    names: Names
    slots: DeferredSemaphore
    lines: Lines
    faults: Faults


class EntryPublisher:
    """Publishes one file, or the files of one folder."""

    def __init__(self, shared: Shared, wanted: Wanted) -> None:
        self._shared = shared
        self._context, self._wanted = shared.context, wanted
        # The queue allows for no second more than the task has, other than the payload's author is allowed.
        self._expires = min(wanted.expires, shared.context.expires)
        self._published = 0
        self._given_up = False

    async def publish(self, result: IResult) -> None:
        """Publish what there is; an error artifact in place of what cannot be had."""
        try:
            if self._wanted.directory:
                await self._publish_folder(result)
            elif not self._is_reserved(self._wanted.name):
                await self._publish_file(result)
        except ArchiveError as error:
            await self._miss(self._wanted.name, error.reason, str(error))

    async def _publish_file(self, result: IResult) -> None:
        # The file is opened in the slot too: a payload may list very many.
        async with self._shared.slots:
            file = await result.archive_file(self._wanted.path)
            self._say(f"Uploading artifact {self._wanted.name} from file {shown(self._wanted.path)}")
            try:
                await self._publish_one(self._wanted.name, file)
            finally:
                file.close()

    async def _publish_folder(self, result: IResult) -> None:
        self._say(f"Uploading artifacts {self._wanted.name} from directory {shown(self._wanted.path)}")
        running = Loose(_log)
        try:
            # Slots are taken before the next file is asked for, so that few files are open however many there are.
            async for found in result.archive_folder(self._wanted.path):
                await self._shared.slots.acquire()
                running.run(self._publish_found(found), f"publishing {found.path}")
            await running.wait()
        except BaseException:
            await running.cancel()
            raise
        # Waiting for them all, one does not hear that they were cancelled.
        if self._given_up:
            raise CancelledError
        self._say(f"Uploaded {self._published} files from directory {shown(self._wanted.path)}")

    async def _publish_found(self, found: IArchivedFile | ArchiveFault) -> None:
        """Publish what was found in the folder, in a slot that is taken already."""
        name = self._wanted.named(found.path)
        try:
            if self._is_left_out(name, found.path):
                return
            if isinstance(found, ArchiveFault):
                await self._miss(name, found.reason, found.message)
            else:
                await self._publish_one(name, found)
        finally:
            self._shared.slots.release()
            if not isinstance(found, ArchiveFault):
                found.close()

    def _is_left_out(self, name: str, path: str) -> bool:
        try:
            return self._shared.names.is_left_to_another(self._wanted, path) or self._is_reserved(name)
        except TaskError as error:
            self._shared.faults.add(self._wanted, name, str(error), error)
            return True

    def _is_reserved(self, name: str) -> bool:
        if not self._context.is_reserved(name):
            return False
        # No fault: people publish the whole of "public", and the log may lie there.
        self._context.log.warn(f"artifact {name} is left out: the name is reserved for the worker")
        return True

    async def _publish_one(self, name: str, file: IArchivedFile) -> None:
        wanted = self._wanted
        try:
            if not is_artifact_name(name):
                form = f"it must be printable ASCII, and not longer than {LONGEST_ARTIFACT_NAME}"
                raise ArchiveError(f"no artifact can have this name; {form}")
            await self._context.publish(
                FileArtifact(name, self._expires, file, wanted.content_type, wanted.content_encoding)
            )
            self._count()
        except ArchiveError as error:
            await self._miss(name, error.reason, str(error))
        except NamingConflict as conflict:
            places = " and ".join(map(shown, self._shared.names.places_of(name)))
            self._shared.faults.add(wanted, name, f"{places} have one name; give them two", conflict)
        except TaskError as error:
            self._shared.faults.add(wanted, name, str(error), error)
        except CancelledError:
            self._given_up = True
            raise

    def _count(self) -> None:
        self._published += 1
        if self._published % MANY == 0:
            self._context.log.info(f"Uploaded {self._published} files so far from {shown(self._wanted.path)}")

    def _say(self, message: str) -> None:
        self._shared.lines.info(message)

    async def _miss(self, name: str, reason: str, message: str) -> None:
        """Say in the queue and in the log why an artifact is not there."""
        message = shown(message)
        evidence = {"artifact": name, "reason": reason}
        error = TaskFailed(message, cause=Cause.ARTIFACT_MISSING, evidence=evidence)
        # Of an optional one as well the queue gets an error artifact, by which whoever looks for it learns why.
        self._shared.faults.add(self._wanted, name, f"{reason}: {message}", error, "is missing")
        try:
            if is_artifact_name(name) and not self._is_reserved(name):
                await self._context.publish(ErrorArtifact(name, self._expires, reason, message))
        except MalformedPayload as refused:
            # A file that broke in the middle of its upload: the queue keeps the artifact that it was to be.
            _log.info("no error artifact {name}: {error}", name=name, error=str(refused), run=self._context.name)
        except TaskError as unpublished:
            self._shared.faults.add(self._wanted, name, str(unpublished), unpublished)
