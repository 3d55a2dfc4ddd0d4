"""The files and folders that a task leaves behind, published: C{artifacts} (contracts of generic-worker, 1 and 3)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tcworker.config import Config
from tcworker.errors import ArchiveError, MalformedPayload, TaskError, TaskFailed
from tcworker.feature.base import TaskFeature
from tcworker.interfaces import (
    ArchiveFault,
    ErrorArtifact,
    FileArtifact,
    IArchivedFile,
    IFeature,
    IResult,
    ITaskContext,
    ITaskFeature,
)
from tcworker.task.claim import read_date
from tcworker.task.outcome import as_task_error, join
from tcworker.waiting import Loose

_log = Logger()

_AT_ONCE = 10
"""Files of a run in hand at a time; how many of them are uploaded, the worker as a whole decides."""

_LINE_EVERY = 100
"""Files of a folder for one line in the log."""

_MOST_FAULTS = 20
"""Faults of one entry of the payload that the log names one by one."""

_LONGEST_NAME = 1024

_ONE = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["file", "directory"], "description": "What is at the path."},
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "Where it is: relative to the task's folder, or absolute.",
        },
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": _LONGEST_NAME,
            "description": "Its name, of a directory what its files' names begin with. By default the path.",
        },
        "expires": {
            "type": "string",
            "format": "date-time",
            "description": "Until when it is kept, from the task's deadline to its expiry, the default.",
        },
        "contentType": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "The MIME type, of a directory that of all its files. By default by the name's extension.",
        },
        "contentEncoding": {
            "type": "string",
            "enum": ["identity", "gzip"],
            "description": "Whether it is compressed on its way. By default by the name's extension.",
        },
        "optional": {
            "type": "boolean",
            "default": False,
            "description": "Whether the task succeeds without it, too.",
        },
    },
    "required": ["type", "path"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Wanted:
    """One entry of the payload.

    @ivar name: of the artifact; of a folder what the names of all its files begin with.
    """

    directory: bool
    path: str
    name: str
    expires: datetime
    content_type: str | None
    content_encoding: str | None
    optional: bool

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], expires: datetime) -> Wanted:
        """Read an entry that fits the schema; C{expires} is the task's."""
        return cls(
            directory=entry["type"] == "directory",
            path=entry["path"],
            name=entry.get("name", entry["path"]),
            expires=read_date(entry["expires"]) if "expires" in entry else expires,
            content_type=entry.get("contentType"),
            content_encoding=entry.get("contentEncoding"),
            optional=entry.get("optional", False),
        )

    def named(self, path: str) -> str:
        """The artifact's name of a file in the folder."""
        return posixpath.normpath(posixpath.join(self.name, path))


@implementer(IFeature)
class ArtifactsFeature:
    """Publishes what the payload lists, after the task, whether it succeeded or not."""

    name = "artifacts"
    schema: Mapping[str, Any] = {
        # Whether an entry is there twice is seen by its name: "uniqueItems" compares each with each.
        "properties": {
            "artifacts": {
                "type": "array",
                "items": _ONE,
                "default": [],
                "description": "Files and directories to publish when the commands have ended, well or not.",
            }
        },
        "required": [],
    }
    after = ()

    def __init__(self, reactor: IReactorTime, config: Config) -> None:
        pass

    def for_task(self, context: ITaskContext) -> ITaskFeature | None:
        """See L{IFeature.for_task}."""
        wanted = [Wanted.from_json(entry, context.expires) for entry in context.payload.get("artifacts", [])]
        if faults := [*_out_of_bounds(wanted, context), *_repeated(wanted), *_unnameable(wanted)]:
            raise MalformedPayload(*faults)
        return _Artifacts(context, wanted) if wanted else None


def _out_of_bounds(wanted: Sequence[Wanted], context: ITaskContext) -> list[str]:
    faults = []
    for index, entry in enumerate(wanted):
        place = f"payload.artifacts[{index}].expires"
        # The distance, for a second before or after the first or last of all dates is no date.
        if context.deadline - entry.expires > timedelta(seconds=1):
            faults.append(f"{place}: artifact '{entry.name}' expires before task deadline")
        elif entry.expires - context.expires > timedelta(seconds=1):
            faults.append(f"{place}: artifact '{entry.name}' expires after task expiry")
    return faults


def _repeated(wanted: Sequence[Wanted]) -> list[str]:
    first: dict[str, int] = {}
    faults = []
    for index, entry in enumerate(wanted):
        other = first.setdefault(entry.name, index)
        if other != index:
            faults.append(f"payload.artifacts[{index}]: has the name '{entry.name}' of payload.artifacts[{other}]")
    return faults


def _unnameable(wanted: Sequence[Wanted]) -> list[str]:
    return [
        f"payload.artifacts[{index}]: no artifact can have the name {entry.name!r}; give it one in printable ASCII"
        for index, entry in enumerate(wanted)
        if not _is_name(entry.name)
    ]


def _is_name(name: str) -> bool:
    """Whether an artifact can have this name (contracts of the queue, 0.8)."""
    return name.isascii() and name.isprintable() and len(name) <= _LONGEST_NAME


class _Artifacts(TaskFeature):
    """The artifacts of one run."""

    def __init__(self, context: ITaskContext, wanted: Sequence[Wanted]) -> None:
        self._context = context
        self._wanted = sorted(wanted, key=lambda entry: entry.name)

    def upload(self, result: IResult) -> Deferred[None]:
        return Deferred.fromCoroutine(self._upload(result))

    async def _upload(self, result: IResult) -> None:
        slots = DeferredSemaphore(_AT_ONCE)
        entries = [_Entry(self._context, wanted, slots) for wanted in self._wanted]
        running: list[Deferred[Any]] = [Deferred.fromCoroutine(entry.publish(result)) for entry in entries]
        outcomes = await DeferredList(running, consumeErrors=True)
        errors = [self._error(value) for _, value in outcomes if isinstance(value, Failure)]
        if error := join([*errors, *(error for entry in entries for error in entry.errors)]):
            raise error

    def _error(self, failure: Failure) -> TaskError:
        if failure.check(CancelledError):
            failure.raiseException()
        return as_task_error(failure, self._context.name, "publishing artifacts")


class _Entry:
    """One entry of the payload on its way out.

    @ivar errors: what went wrong so far, as far as it matters: of an optional entry nothing does.
    """

    def __init__(self, context: ITaskContext, wanted: Wanted, slots: DeferredSemaphore) -> None:
        self.errors: list[TaskError] = []
        self._context = context
        self._wanted = wanted
        self._slots = slots
        self._published = 0
        self._faults = 0
        self._given_up = False

    async def publish(self, result: IResult) -> None:
        """Publish the file, or the folder's files; an error artifact in place of what cannot be had."""
        try:
            if self._wanted.directory:
                await self._publish_folder(result)
            else:
                await self._publish_file(result)
        except ArchiveError as error:
            await self._miss(self._wanted.name, error.reason, str(error))

    async def _publish_file(self, result: IResult) -> None:
        # The file is opened in the slot too: a payload may list very many.
        async with self._slots:
            file = await result.archive_file(self._wanted.path)
            self._context.log.info(f"Uploading artifact {self._wanted.name} from file {self._wanted.path}")
            await self._publish_one(self._wanted.name, file)

    async def _publish_folder(self, result: IResult) -> None:
        self._context.log.info(f"Uploading artifacts {self._wanted.name} from directory {self._wanted.path}")
        running = Loose(_log)
        try:
            # Slots are taken before the next entry is asked for, so that few files are open however many there are.
            async for entry in result.archive_folder(self._wanted.path):
                await self._slots.acquire()
                running.run(self._publish_entry(entry), f"publishing {entry.path}")
            await running.wait()
        except BaseException:
            await running.cancel()
            raise
        # Waiting for them all, one does not hear that they were cancelled.
        if self._given_up:
            raise CancelledError
        self._context.log.info(f"Uploaded {self._published} files from directory {self._wanted.path}")

    async def _publish_entry(self, entry: IArchivedFile | ArchiveFault) -> None:
        """Publish one entry of the folder, in a slot that is taken already."""
        try:
            name = self._wanted.named(entry.path)
            if isinstance(entry, ArchiveFault):
                await self._miss(name, entry.reason, entry.message)
            else:
                await self._publish_one(name, entry)
        finally:
            self._slots.release()

    async def _publish_one(self, name: str, file: IArchivedFile) -> None:
        wanted = self._wanted
        try:
            if not _is_name(name):
                raise ArchiveError("the queue knows no artifact by such a name; it must be printable ASCII")
            await self._context.publish(
                FileArtifact(name, wanted.expires, file, wanted.content_type, wanted.content_encoding)
            )
            self._count()
        except ArchiveError as error:
            await self._miss(name, error.reason, str(error))
        except TaskError as error:
            self._fault(name, str(error), error)
        except CancelledError:
            self._given_up = True
            raise
        finally:
            file.close()

    def _count(self) -> None:
        self._published += 1
        if self._published % _LINE_EVERY == 0:
            self._context.log.info(f"Uploaded {self._published} files so far from directory {self._wanted.path}")

    async def _miss(self, name: str, reason: str, message: str) -> None:
        """Say in the queue and in the log why an artifact is not there."""
        error = TaskFailed(f"artifact {name} was not published: {message}")
        # Of an optional one as well the queue gets an error artifact, by which whoever looks for it learns why.
        self._fault(name, f"{reason}: {message}", error, "is missing")
        try:
            if _is_name(name):
                await self._context.publish(ErrorArtifact(name, self._wanted.expires, reason, message))
        except MalformedPayload as refused:
            # A file that broke in the middle of its upload: the queue keeps the artifact that it was to be.
            _log.info("no error artifact {name}: {error}", name=name, error=str(refused), run=self._context.name)
        except TaskError as unpublished:
            self._fault(name, str(unpublished), unpublished)

    def _fault(self, name: str, message: str, error: TaskError, what: str = "was not published") -> None:
        self._faults += 1
        # Treeherder shows every line that begins with "[taskcluster:error]" as a failure.
        if self._wanted.optional:
            if self._faults <= _MOST_FAULTS:
                self._context.log.info(f"Optional artifact {name} {what}: {message}")
            return
        if self._faults <= _MOST_FAULTS:
            self._context.log.error(f"TASK FAILURE during artifact upload: {name}: {message}")
        # The kind of each error counts for the run's resolution, even if its text is one too many.
        if self._faults <= _MOST_FAULTS or type(error) not in map(type, self.errors):
            self.errors.append(error)
