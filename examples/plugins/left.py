"""The third phase of a sandbox: nothing runs any more, the folder is still there."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from tcworker.errors import ArchiveError, FeatureNotSupported, NotAFile, NotFound, NotReadable
from tcworker.filebody import DescriptorFile
from tcworker.interfaces import ArchiveFault, CommandRecord, IArchivedFile, ICacheFolder, IResult
from tcworker.waiting import Threads

PIECE = 1 << 16


@implementer(IResult)
class ScriptResult:
    """What the command left in its folder."""

    out_of_memory = False

    def __init__(
        self, threads: Threads, folder: str, *, success: bool, killed: str | None, commands: Sequence[CommandRecord]
    ) -> None:
        self.success, self.killed, self.commands = success, killed, commands
        self._threads, self._folder = threads, folder

    def archive_file(self, path: str) -> Deferred[IArchivedFile]:
        """See L{IResult.archive_file}."""
        return self._threads.run(open_file, self._folder, path)

    async def archive_folder(self, path: str) -> AsyncIterator[IArchivedFile | ArchiveFault]:
        """See L{IResult.archive_folder}."""
        names = await self._threads.run(list_folder, self._folder, path)
        for name in names:
            try:
                file = await self._threads.run(open_file, self._folder, os.path.join(path, name))
            except ArchiveError as error:
                yield ArchiveFault(name, error.reason, str(error))
            else:
                file.path = name
                yield file

    async def archive(self) -> AsyncIterator[bytes]:
        """See L{IResult.archive}."""
        with tempfile.TemporaryFile() as packed:
            await self._threads.run(pack, self._folder, packed)
            while piece := await self._threads.run(packed.read, PIECE):
                yield piece

    def detach_cache(self, folder: ICacheFolder) -> Deferred[None]:
        """See L{IResult.detach_cache}: none was attached."""
        return fail(FeatureNotSupported(f"there is no cache {folder.name} in this sandbox"))

    def dispose(self) -> Deferred[None]:
        """See L{IResult.dispose}."""
        return self._threads.run(shutil.rmtree, self._folder, True)


def open_file(folder: str, path: str) -> DescriptorFile:
    """Open a file of a task. Raises L{ArchiveError}. Blocks."""
    try:
        # Without O_NONBLOCK the worker would wait for somebody to write to a named pipe.
        descriptor = os.open(find(folder, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise NotReadable(f"{path} may not be read") from None
    except OSError:
        raise NotFound(f"there is no {path}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(f"{path} is not a file")
    return DescriptorFile(path, descriptor)


def list_folder(folder: str, path: str) -> list[str]:
    """The paths of all that is in a folder of a task and no folder itself, sorted. Raises L{ArchiveError}. Blocks."""
    place = find(folder, path)
    if not os.path.lexists(place):
        raise NotFound(f"there is no {path}")
    if not os.path.isdir(place):
        raise NotAFile(f"{path} is not a folder")
    if not os.access(place, os.R_OK | os.X_OK):
        raise NotReadable(f"{path} may not be read")
    found = (os.path.join(way, name) for way, _, names in os.walk(place) for name in names)
    return sorted(os.path.relpath(name, place) for name in found)


def find(folder: str, path: str) -> str:
    """Follow a path of a task, whose links may lead anywhere. Raises L{NotFound} if it leaves the folder.

    Nothing of the task runs any more, so nothing changes between this and what is done with the answer.
    """
    folder = os.path.realpath(folder)
    place = os.path.realpath(os.path.join(folder, path))
    if os.path.commonpath([folder, place]) != folder:
        raise NotFound(f"there is no {path} in the task's folder")
    return place


def pack(folder: str, packed: BinaryIO) -> None:
    """Write a tar of a folder, with links as links. Blocks."""
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, arcname=".")
    packed.seek(0)
