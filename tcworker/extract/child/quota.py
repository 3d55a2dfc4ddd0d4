"""How much may come out of an archive."""

from __future__ import annotations

from collections.abc import Callable

from tcworker.extract.child.faults import ArchiveFault
from tcworker.extract.order import ExtractionLimits

BLOCK = 4096
"""What an entry takes at least: very many empty ones fill a disk as well."""

_FREE = 1 << 30

_MEGA = 1 << 20


class Quota:
    """Counts what comes out.

    @param taken: says how much went in so far.
    @ivar bytes: of files, so far.
    @ivar entries: files, folders and links, so far.
    """

    def __init__(self, limits: ExtractionLimits, taken: Callable[[], int]) -> None:
        self._limits, self._taken = limits, taken
        self._most = limits.megabytes * _MEGA
        self._next_look = min(self._most, _FREE)
        self.bytes = self.entries = 0
        self._spent = 0

    def entry(self) -> None:
        """Another one is made. Raises L{ArchiveFault} if it is one too many."""
        self.entries += 1
        self._spend(BLOCK)

    def content(self, size: int) -> None:
        """So much more is written. Raises L{ArchiveFault} if it is too much."""
        self.bytes += size
        self._spend(size)

    def nothing(self, size: int) -> None:
        """So much more came out that is of no use. Raises L{ArchiveFault} if it is too much."""
        self._spend(size)

    def _spend(self, size: int) -> None:
        self._spent += size
        if self._spent > self._next_look:
            self._look()

    def _look(self) -> None:
        if self._spent > self._most:
            raise ArchiveFault(f"it takes more than {self._limits.megabytes} MB (mounts.maxExtractedMegabytes)")
        taken = self._taken()
        if self._spent > _FREE and self._spent > self._limits.ratio * taken:
            raise ArchiveFault(
                f"more than {self._limits.ratio} times as much came out of it ({self._spent // _MEGA} MB) as went in "
                f"({taken} bytes): such an archive must be packed less tightly"
            )
        self._next_look = min(self._most, self._spent + _MEGA)
