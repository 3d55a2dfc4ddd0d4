"""Takes caches away: out of the stock, so that nobody gets them, and then off the disk."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from tcworker.cache.rows import Row, Thrown
from tcworker.cache.stock import Kept, Stock
from tcworker.cache.unwritten import or_log
from tcworker.interfaces import ICacheFolder
from tcworker.waiting import Loose, OneShot

AT_ONCE = 256
"""Folders that are being removed: waiting for each alone would take longer than removing small ones.

More than are set aside by one job, so that some are set aside while others are removed.
"""

_NOT_FORGOTTEN = "that caches are gone; the next start finds out"
_NOT_REMOVED = "{what} cannot be removed: {problem}; it is tried again every hour"

_log = Logger()


class Disposal:
    """What is to go."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._going = Loose(_log)

    async def let_go(self, ids: Sequence[int]) -> Sequence[Row]:
        """Take some out, and remove them in the background; returns when nobody gets them, not even after a restart."""
        if not ids:
            return []
        kept, forgotten = self._take_out(ids)
        self._going.run(self._remove_quietly(kept, forgotten), "removing caches")
        await forgotten.wait()
        return [each.row for each in kept]

    def remove(self, folder: ICacheFolder) -> None:
        """Remove something half-made in the background."""
        self._going.run(folder.delete(), f"removing what was made of {folder.name}")

    def run(self, work: Coroutine[Deferred[Any], Any, None], what: str) -> None:
        """Do some work that makes room in the background."""
        self._going.run(work, what)

    async def throw_away(self, ids: Sequence[int]) -> Thrown:
        """Take some out and remove them; returns when their bytes are free."""
        if not ids:
            return Thrown([])
        return await self._going.finish(self._remove(*self._take_out(ids)), "removing caches")

    def settled(self) -> Deferred[None]:
        """Fire when all is removed that was to go by now."""
        return self._going.wait()

    def end(self) -> Deferred[None]:
        """Remove nothing more; what is being removed is left to the next start."""
        return self._going.cancel()

    def _take_out(self, ids: Sequence[int]) -> tuple[Sequence[Kept], OneShot[None]]:
        kept, forgetting = self._stock.take_out(ids)
        forgotten: OneShot[None] = OneShot()
        # That they are set aside keeps the next start from finding them.
        Deferred.fromCoroutine(or_log(forgetting, _NOT_FORGOTTEN)).addBoth(forgotten.settle)
        return kept, forgotten

    async def _remove_quietly(self, kept: Sequence[Kept], forgotten: OneShot[None]) -> None:
        for row, problem in (await self._remove(kept, forgotten)).failed:
            _log.error(_NOT_REMOVED, what=row.words, problem=problem)

    async def _remove(self, kept: Sequence[Kept], forgotten: OneShot[None]) -> Thrown:
        await forgotten.wait()
        problems: list[str] = []
        for first in range(0, len(kept), AT_ONCE):
            deleting = [Deferred.fromCoroutine(_delete(each)) for each in kept[first : first + AT_ONCE]]
            problems += [await each for each in deleting]
        both = list(zip((each.row for each in kept), problems, strict=True))
        gone = [row for row, problem in both if not problem]
        return Thrown(gone, [(row, problem) for row, problem in both if problem])


async def _delete(kept: Kept) -> str:
    """Give why it cannot go, nothing when it is gone."""
    try:
        await kept.folder.delete()
    except CancelledError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
