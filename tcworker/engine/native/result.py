"""A native sandbox that is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.engine.native.files import open_file, tar, walk
from tcworker.engine.native.sandbox import Sandbox
from tcworker.errors import NotFound
from tcworker.interfaces import ArchiveFault, CommandRecord, IArchivedFile, ICacheFolder, IResult
from tcworker.waiting import OneShot


@implementer(IResult)
class NativeResult:
    """See L{IResult}."""

    def __init__(
        self,
        sandbox: Sandbox,
        success: bool,
        killed: str | None,
        commands: Sequence[CommandRecord],
        out_of_memory: bool,
    ) -> None:
        self.success, self.killed = success, killed
        self.commands, self.out_of_memory = commands, out_of_memory
        self._sandbox = sandbox
        self._disposed: OneShot[None] | None = None

    def archive_file(self, path: str) -> Deferred[IArchivedFile]:
        """See L{IResult.archive_file}."""
        return Deferred.fromCoroutine(self._archive_file(path))

    async def archive_folder(self, path: str) -> AsyncIterator[IArchivedFile | ArchiveFault]:
        """See L{IResult.archive_folder}."""
        self._check_there(path)
        async with aclosing(walk(self._sandbox.means, self._sandbox.supervisor, path)) as entries:
            async for entry in entries:
                yield entry

    async def archive(self) -> AsyncIterator[bytes]:
        """See L{IResult.archive}."""
        self._check_there("the task's folder")
        async with aclosing(tar(self._sandbox.means, self._sandbox.supervisor)) as pieces:
            async for piece in pieces:
                yield piece

    def detach_cache(self, folder: ICacheFolder) -> Deferred[None]:
        """See L{IResult.detach_cache}."""
        self._check_there(f"the cache {folder.name}")
        return self._sandbox.take_back(folder.path or "")

    def dispose(self) -> Deferred[None]:
        """See L{IResult.dispose}."""
        if self._disposed is None:
            self._disposed = OneShot()
            # Whoever cancels the wait does not stop the removal.
            self._sandbox.free().addCallbacks(self._disposed.succeed, self._disposed.fail)
        return self._disposed.wait()

    async def _archive_file(self, path: str) -> IArchivedFile:
        self._check_there(path)
        return await open_file(self._sandbox.means, self._sandbox.supervisor, path)

    def _check_there(self, what: str) -> None:
        if self._disposed is not None:
            raise NotFound(f"{what} is gone, with all that the task left")
