"""A native sandbox that is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.engine.native.files import Files
from tcworker.engine.native.sandbox import Sandbox
from tcworker.interfaces import ArchiveFault, CommandRecord, IArchivedFile, IResult
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
        self._files: Files | None = None
        self._disposed: OneShot[None] | None = None

    def archive_file(self, path: str) -> Deferred[IArchivedFile]:
        """See L{IResult.archive_file}."""
        return Deferred.fromCoroutine(self._opened().open(path))

    def archive_folder(self, path: str) -> AsyncIterator[IArchivedFile | ArchiveFault]:
        """See L{IResult.archive_folder}."""
        return self._opened().walk(path)

    async def archive(self) -> AsyncIterator[bytes]:
        """See L{IResult.archive}."""
        files = Files(self._sandbox.means.reactor, self._sandbox.supervisor)
        try:
            async for piece in files.tar(self._sandbox.means.threads):
                yield piece
        finally:
            files.close()

    def dispose(self) -> Deferred[None]:
        """See L{IResult.dispose}."""
        if self._disposed is None:
            self._disposed = OneShot()
            if self._files is not None:
                self._files.close()
            self._sandbox.free().addCallbacks(self._disposed.succeed, self._disposed.fail)
        return self._disposed.wait()

    def _opened(self) -> Files:
        """One process opens files for all who ask."""
        if self._files is None:
            self._files = Files(self._sandbox.means.reactor, self._sandbox.supervisor)
        return self._files
