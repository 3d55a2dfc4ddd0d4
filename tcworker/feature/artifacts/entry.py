"""One entry of the payload on its way out."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from twisted.logger import Logger

from tcworker.errors import ArchiveError, Cause, MalformedPayload, NamingConflict, TaskError, TaskFailed, TooLate
from tcworker.feature.artifacts.hands import Hands
from tcworker.feature.artifacts.names import Names
from tcworker.feature.artifacts.telling import MANY, Faults, Lines
from tcworker.feature.artifacts.wanted import Wanted, shown
from tcworker.interfaces import ArchiveFault, ErrorArtifact, FileArtifact, IArchivedFile, IResult, ITaskContext
from tcworker.task.forms import LONGEST_ARTIFACT_NAME, is_artifact_name

TOO_LATE = "too-large-file-on-worker"
"""The queue's nearest word for what the time that was left did not suffice for."""

MOST_LATE = 20_000
"""Files that are noted at the most: no worker that must go can publish more."""

_log = Logger()


@dataclass(frozen=True)
class Late:
    """What was found when the worker had to go.

    @ivar found: the path of a file in a folder, relative to that; or what is wrong with it. C{None} for a file that is
        wanted by itself.
    """

    size: int
    entry: EntryPublisher
    found: str | ArchiveFault | None = None


@dataclass(frozen=True)
class Shared:
    """What the entries of one run share.

    @ivar hands: for the files that are published one after the other as they are found.
    @ivar late: those that are not.
    @ivar lines: about each entry.
    """

    context: ITaskContext
    names: Names
    hands: Hands
    lines: Lines
    faults: Faults
    late: list[Late] = field(default_factory=list)


class EntryPublisher:
    """Publishes one file, or the files of one folder.

    @ivar wanted: what the payload says of it.
    """

    def __init__(self, shared: Shared, wanted: Wanted) -> None:
        self.wanted = wanted
        self._shared = shared
        self._context = shared.context
        # The queue allows for no second more than the task has, other than the payload's author is allowed.
        self._expires = min(wanted.expires, shared.context.expires)
        self._published = 0

    async def find(self, result: IResult) -> None:
        """Begin to publish what there is, with the hands that all share; what they do not take is noted as late.

        What cannot be had has an error artifact in its place.
        """
        try:
            if self.wanted.directory:
                await self._find_in_folder(result)
            elif not self._is_reserved(self.wanted.name):
                await self._find_file(result)
        except ArchiveError as error:
            await self._miss(self.wanted.name, error.reason, str(error))

    async def publish_late(self, late: Late, result: IResult) -> None:
        """Publish what was noted."""
        if isinstance(late.found, ArchiveFault):
            await self._publish_found(late.found)
        elif late.found is None:
            await self._open_and_publish(self.wanted.name, self.wanted.path, result)
        elif not self._is_left_out(name := self.wanted.named(late.found), late.found):
            await self._open_and_publish(name, posixpath.join(self.wanted.path, late.found), result)

    def close(self) -> None:
        """Say how much was published."""
        if self.wanted.directory:
            self._say(f"Uploaded {self._published} files from directory {shown(self.wanted.path)}")

    async def _find_file(self, result: IResult) -> None:
        # The file is opened when there is a hand for it: a payload may list very many.
        in_hand = await self._shared.hands.take()
        try:
            file = await result.archive_file(self.wanted.path)
        except BaseException:
            if in_hand:
                self._shared.hands.let_go()
            raise
        self._say(f"Uploading artifact {self.wanted.name} from file {shown(self.wanted.path)}")
        if in_hand:
            self._shared.hands.work(self._publish_and_close(self.wanted.name, file))
        else:
            file.close()
            self._shared.late.append(Late(file.size, self))

    async def _find_in_folder(self, result: IResult) -> None:
        self._say(f"Uploading artifacts {self.wanted.name} from directory {shown(self.wanted.path)}")
        # A hand is taken before the next file is asked for, so that few files are open however many there are.
        hands = self._shared.hands
        in_hand = await hands.take()
        try:
            async for found in result.archive_folder(self.wanted.path):
                if in_hand:
                    in_hand = False
                    hands.work(self._publish_found(found))
                elif not self._note(found):
                    break
                in_hand = await hands.take()
        finally:
            if in_hand:
                hands.let_go()

    async def _open_and_publish(self, name: str, path: str, result: IResult) -> None:
        if self._context.time_left() <= 0:
            # Not even opened: there may be very many, each of which still gets its word.
            return await self._come_too_late(name, TooLate("the worker must go: no time is left"))
        try:
            file = await result.archive_file(path)
        except ArchiveError as error:
            await self._miss(name, error.reason, str(error))
        else:
            await self._publish_and_close(name, file)

    def _note(self, found: IArchivedFile | ArchiveFault) -> bool:
        """Note what is late; whether more should be."""
        if isinstance(found, ArchiveFault):
            self._shared.late.append(Late(0, self, found))
        else:
            found.close()
            self._shared.late.append(Late(found.size, self, found.path))
        if len(self._shared.late) < MOST_LATE and self._context.time_left() > 0:
            return True
        error = TooLate("the worker must go: there is no time to look what else there is")
        self._shared.faults.add(self.wanted, self.wanted.name, str(error), error)
        return False

    async def _publish_found(self, found: IArchivedFile | ArchiveFault) -> None:
        """Publish what was found in the folder."""
        name = self.wanted.named(found.path)
        if isinstance(found, ArchiveFault):
            if not self._is_left_out(name, found.path):
                await self._miss(name, found.reason, found.message)
        elif self._is_left_out(name, found.path):
            found.close()
        else:
            await self._publish_and_close(name, found)

    def _is_left_out(self, name: str, path: str) -> bool:
        try:
            return self._shared.names.is_left_to_another(self.wanted, path) or self._is_reserved(name)
        except TaskError as error:
            self._shared.faults.add(self.wanted, name, str(error), error)
            return True

    def _is_reserved(self, name: str) -> bool:
        if not self._context.is_reserved(name):
            return False
        # No fault: people publish the whole of "public", and the log may lie there.
        self._context.log.warn(f"artifact {name} is left out: the name is reserved for the worker")
        return True

    async def _publish_and_close(self, name: str, file: IArchivedFile) -> None:
        try:
            await self._publish_one(name, file)
        finally:
            file.close()

    async def _publish_one(self, name: str, file: IArchivedFile) -> None:
        wanted = self.wanted
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
        except TooLate as late:
            await self._come_too_late(name, late)
        except TaskError as error:
            self._shared.faults.add(wanted, name, str(error), error)

    def _count(self) -> None:
        self._published += 1
        if self._published % MANY == 0:
            self._context.log.info(f"Uploaded {self._published} files so far from {shown(self.wanted.path)}")

    def _say(self, message: str) -> None:
        self._shared.lines.info(message)

    async def _come_too_late(self, name: str, late: TooLate) -> None:
        self._shared.faults.add(self.wanted, name, str(late), late)
        if not self.wanted.optional:
            # At once, so that the queue can be told before what still may be published.
            self._context.fail(late)
        await self._publish_error(name, TOO_LATE, shown(str(late)))

    async def _miss(self, name: str, reason: str, message: str) -> None:
        """Say in the queue and in the log why an artifact is not there."""
        message = shown(message)
        evidence = {"artifact": name, "reason": reason}
        error = TaskFailed(message, cause=Cause.ARTIFACT_MISSING, evidence=evidence)
        # Of an optional one as well the queue gets an error artifact, by which whoever looks for it learns why.
        self._shared.faults.add(self.wanted, name, f"{reason}: {message}", error, "is missing")
        await self._publish_error(name, reason, message)

    async def _publish_error(self, name: str, reason: str, message: str) -> None:
        try:
            if is_artifact_name(name) and not self._is_reserved(name):
                await self._context.publish(ErrorArtifact(name, self._expires, reason, message))
        except MalformedPayload as refused:
            # A file that broke in the middle of its upload: the queue keeps the artifact that it was to be.
            _log.info("no error artifact {name}: {error}", name=name, error=str(refused), run=self._context.name)
        except TaskError as unpublished:
            self._shared.faults.add(self.wanted, name, str(unpublished), unpublished)
