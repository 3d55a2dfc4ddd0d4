"""How large caches are, which is measured once after each change, while nobody waits for it."""

from __future__ import annotations

from tcworker.cache.rows import SHARED
from tcworker.cache.stock import Kept, Stock
from tcworker.cache.unwritten import or_log
from tcworker.waiting import Loose


class Sizes:
    """Measures; what is taken away or changed meanwhile keeps the size that it had."""

    def __init__(self, stock: Stock, loose: Loose) -> None:
        self._stock = stock
        self._loose = loose

    def measure(self, id: int) -> None:
        """Measure one in the background, and remember its size."""
        if (kept := self._stock.get(id)) is not None:
            self._loose.run(self._measure(kept), f"measuring {kept.row.words}")

    async def _measure(self, kept: Kept) -> None:
        size = await kept.folder.measure()
        now = self._stock.get(kept.row.id)
        # A write that changes nothing would still wait for the disk, and others for it.
        if now is not None and size != now.row.size and _is_unchanged(kept, now):
            await or_log(self._stock.change(now.row.id, size=size), f"how large {now.row.words} is")


def _is_unchanged(before: Kept, now: Kept) -> bool:
    # While a run has a cache its folder is elsewhere, and afterwards it is measured again.
    return now.row.kind == SHARED or (now.row.run is None and now.row.used == before.row.used)
