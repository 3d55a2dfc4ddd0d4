"""Extractions as the rest of the worker asks for them."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, DeferredSemaphore
from zope.interface import implementer

from tcworker.errors import TaskFailed
from tcworker.extract.feed import Feed, Unread
from tcworker.extract.formats import check_file_format, check_folder_format
from tcworker.extract.order import Extracted, ExtractionLimits, Owner
from tcworker.extract.unpacker import Unpacker, new_order
from tcworker.interfaces import ISink
from tcworker.process import IReactor

__all__ = ["Extracted", "Extraction", "ExtractionLimits", "Extractor", "Owner"]

NOBODY = Owner(2**32 - 3, 2**32 - 3)
"""Numbers that no user and no group has."""

_EACH = 256 << 20
"""Bytes of memory that most archives need at the most to be unpacked: a window of 128 MB, and the program."""

_FEWEST = 4


def places() -> int:
    """How many archives may be unpacked at one time, by all tasks: they may have a quarter of the memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(_FEWEST, memory // 4 // _EACH)


@implementer(ISink)
class Extraction:
    """An archive on its way into a folder, unpacked while it arrives.

    Its methods fail with L{TaskFailed} when the archive is not what it should be or takes more than it may,
    L{ResourceUnavailable} when there is no room, L{InternalError} when no child can be started; what is in the folder
    then is for the caller to remove.

    @param places: of which it has one while its child runs.
    """

    def __init__(
        self,
        reactor: IReactor,
        limits: ExtractionLimits,
        places: DeferredSemaphore,
        form: str,
        folder: str,
        owner: Owner | None,
    ) -> None:
        self._reactor, self._limits = reactor, limits
        self._places, self._has_place = places, False
        self._form, self._folder, self._owner = form, folder, owner
        self._feed: Feed | None = None
        self._child: Unpacker | None = None
        self._extracted: Extracted | None = None

    @property
    def extracted(self) -> Extracted:
        """What came out; not to be asked before it is finished."""
        assert self._extracted is not None, "not finished"
        return self._extracted

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

    async def _begin(self) -> None:
        again = self._child is not None
        await self._abandon()
        # Its server is not read from meanwhile.
        await self._places.acquire()
        self._has_place = True
        order = new_order(self._form, self._limits, self._owner, into_folder=True, again=again)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._feed = Feed(self._reactor)
        try:
            self._child = Unpacker(self._reactor, order, self._feed.reading_end, folder, self._folder)
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
        self._leave_place()

    async def _abandon(self) -> None:
        if self._child is not None:
            await self._child.end()
        if self._feed is not None:
            self._feed.close()
        self._leave_place()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._places.release()


class Extractor:
    """Makes extractions, within the limits of the worker. Nothing of it runs while there is none."""

    def __init__(self, reactor: IReactor, limits: ExtractionLimits) -> None:
        self._reactor, self._limits = reactor, limits
        self._places = DeferredSemaphore(places())

    def into_folder(self, form: str, folder: str, owner: Owner | None) -> Extraction:
        """Give a sink for an archive that is to be unpacked into an empty folder.

        @param owner: whose all of it will be, and who must be able to write to the folder; C{None} for ourselves.

        Raises L{MalformedPayload} for a format that is not one of L{tcworker.extract.formats.FOLDER_FORMATS}.
        """
        check_folder_format(form)
        return Extraction(self._reactor, self._limits, self._places, form, folder, owner)

    def decompress(self, form: str, source: int, target: int) -> Deferred[Extracted]:
        """Decompress an open file, from where it is, into another; both stay the caller's.

        Fails with L{MalformedPayload} for a format that is not one of L{tcworker.extract.formats.FILE_FORMATS}, else as
        an L{Extraction} does.
        """
        return self._places.run(lambda: Deferred.fromCoroutine(self._decompress(form, source, target)))

    async def _decompress(self, form: str, source: int, target: int) -> Extracted:
        check_file_format(form)
        # What is open needs no rights.
        owner = NOBODY if os.geteuid() == 0 else None
        order = new_order(form, self._limits, owner, into_folder=False, again=False)
        child = Unpacker(self._reactor, order, source, target, "a file")
        try:
            return await child.in_time(Deferred.fromCoroutine(child.result()))
        finally:
            await child.end()
