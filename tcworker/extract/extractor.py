"""Extractions as the rest of the worker asks for them."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, DeferredSemaphore
from zope.interface import implementer

from tcworker.errors import TaskFailed
from tcworker.extract.feed import Feed, Unread
from tcworker.extract.formats import check_file_format, check_folder_format
from tcworker.extract.memory import Budget, Share, for_unpacking, needed
from tcworker.extract.order import Extracted, ExtractionLimits, Owner
from tcworker.extract.unpacker import Unpacker, new_order
from tcworker.interfaces import ISink
from tcworker.process import IReactor

__all__ = ["Extracted", "Extraction", "ExtractionLimits", "Extractor", "Extractors", "Owner"]

NOBODY = Owner(2**32 - 3, 2**32 - 3)
"""Numbers that no user and no group has."""


def processors() -> int:
    """How many there are."""
    return os.cpu_count() or 1


@implementer(ISink)
class Extraction:
    """An archive on its way into a folder, unpacked while it arrives.

    Its methods fail with L{TaskFailed} when the archive is not what it should be or takes more than it may,
    L{ResourceUnavailable} when there is no room, L{InternalError} when no child can be started; what is in the folder
    then is for the caller to remove.

    @param memory: of which it has what its format may need, from L{prepare} until it is finished or abandoned.
    @param loading: of which it has one while its child loads its program.
    """

    def __init__(
        self,
        reactor: IReactor,
        limits: ExtractionLimits,
        memory: Share,
        loading: DeferredSemaphore,
        form: str,
        folder: str,
        owner: Owner | None,
    ) -> None:
        self._reactor, self._limits = reactor, limits
        self._memory, self._has_memory = memory, False
        self._loading = loading
        self._form, self._folder, self._owner = form, folder, owner
        self._feed: Feed | None = None
        self._child: Unpacker | None = None
        self._extracted: Extracted | None = None

    @property
    def extracted(self) -> Extracted:
        """What came out; not to be asked before it is finished."""
        assert self._extracted is not None, "not finished"
        return self._extracted

    def prepare(self) -> Deferred[None]:
        """Wait for memory. To be called before its download is begun, whose server would not wait as long."""
        return Deferred.fromCoroutine(self._prepare())

    def begin(self, size: int | None) -> Deferred[None]:
        """See L{ISink.begin}; when it begins anew, the folder is emptied."""
        return Deferred.fromCoroutine(self._begin())

    def write(self, data: bytes) -> Deferred[None]:
        """See L{ISink.write}; fails as soon as it is known that nothing will come of the archive."""
        return Deferred.fromCoroutine(self._write(data))

    def finish(self) -> Deferred[None]:
        """See L{ISink.finish}."""
        return Deferred.fromCoroutine(self._finish())

    def abandon(self) -> Deferred[None]:
        """See L{ISink.abandon}; to be called even after L{finish} has failed or was cancelled."""
        return Deferred.fromCoroutine(self._abandon())

    async def _prepare(self) -> None:
        if not self._has_memory:
            await self._memory.take(needed(self._form))
            self._has_memory = True

    async def _begin(self) -> None:
        again = self._child is not None
        await self._end_child()
        await self._prepare()
        # As many as there are processors: with more, the worker would be late to ask the servers of the others.
        await self._loading.acquire()
        try:
            child = self._start_child(again)
        except BaseException:
            self._loading.release()
            raise
        child.when_loaded().addCallback(lambda _: self._loading.release())

    def _start_child(self, again: bool) -> Unpacker:
        order = new_order(self._form, self._limits, self._owner, into_folder=True, again=again)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._feed = Feed(self._reactor)
        try:
            self._child = Unpacker(self._reactor, order, self._feed.reading_end, folder, self._folder)
            return self._child
        finally:
            os.close(self._feed.reading_end)
            os.close(folder)

    async def _write(self, data: bytes) -> None:
        assert self._feed is not None and self._child is not None, "a sink is told before the first byte"
        try:
            await self._child.in_time(self._feed.send(data))
        except Unread as error:
            await self._child.in_time(Deferred.fromCoroutine(self._child.result()))
            raise TaskFailed(f"cannot unpack this {self._form}: something follows its end") from error

    async def _finish(self) -> None:
        assert self._feed is not None and self._child is not None, "a sink is told before the first byte"
        self._feed.close()
        self._extracted = await self._child.in_time(Deferred.fromCoroutine(self._child.result()))
        self._leave_memory()

    async def _abandon(self) -> None:
        await self._end_child()
        self._leave_memory()

    async def _end_child(self) -> None:
        if self._child is not None:
            await self._child.end()
        if self._feed is not None:
            self._feed.close()

    def _leave_memory(self) -> None:
        if self._has_memory:
            self._has_memory = False
            self._memory.give(needed(self._form))


class Extractors:
    """Gives each run its extractor; all that they unpack at one time has its share of the machine's memory."""

    def __init__(self, reactor: IReactor, limits: ExtractionLimits) -> None:
        self._reactor, self._limits = reactor, limits
        self._megabytes = for_unpacking()
        self._memory = Budget(self._megabytes)
        self._loading = DeferredSemaphore(processors())

    def for_run(self) -> Extractor:
        """Give an extractor for one run."""
        return Extractor(self._reactor, self._limits, Share(self._memory, self._megabytes), self._loading)


class Extractor:
    """Makes extractions, within the limits of the worker. Nothing of it runs while there is none."""

    def __init__(self, reactor: IReactor, limits: ExtractionLimits, memory: Share, loading: DeferredSemaphore) -> None:
        self._reactor, self._limits, self._memory, self._loading = reactor, limits, memory, loading

    def into_folder(self, form: str, folder: str, owner: Owner | None) -> Extraction:
        """Give a sink for an archive that is to be unpacked into an empty folder.

        @param owner: whose all of it will be, and who must be able to write to the folder; C{None} for ourselves.

        Raises L{MalformedPayload} for a format that is not one of L{tcworker.extract.formats.FOLDER_FORMATS}.
        """
        check_folder_format(form)
        return Extraction(self._reactor, self._limits, self._memory, self._loading, form, folder, owner)

    def decompress(self, form: str, source: int, target: int) -> Deferred[Extracted]:
        """Decompress an open file, from where it is, into another; both stay the caller's.

        Fails with L{MalformedPayload} for a format that is not one of L{tcworker.extract.formats.FILE_FORMATS}, else as
        an L{Extraction} does.
        """
        return Deferred.fromCoroutine(self._decompress(form, source, target))

    async def _decompress(self, form: str, source: int, target: int) -> Extracted:
        check_file_format(form)
        await self._memory.take(needed(form))
        try:
            return await self._decompress_now(form, source, target)
        finally:
            self._memory.give(needed(form))

    async def _decompress_now(self, form: str, source: int, target: int) -> Extracted:
        # What is open needs no rights.
        owner = NOBODY if os.geteuid() == 0 else None
        order = new_order(form, self._limits, owner, into_folder=False, again=False)
        child = Unpacker(self._reactor, order, source, target, "a file")
        try:
            return await child.in_time(Deferred.fromCoroutine(child.result()))
        finally:
            await child.end()
