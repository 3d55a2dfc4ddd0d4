"""All that is kept, in memory and in a table: what is changed here is remembered there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred

from tcworker.cache.rows import Kind, Row
from tcworker.cache.table import CacheTable
from tcworker.interfaces import ICacheFolder

_Name: TypeAlias = tuple[Kind, str, str]


@dataclass(frozen=True)
class Kept:
    """One cache: what is known of it, and its folder."""

    row: Row
    folder: ICacheFolder


class Stock:
    """Memory is changed at once, and never waits: so no two can be given the same.

    @ivar total: bytes of all, in use or not, as last measured.
    """

    def __init__(self, table: CacheTable) -> None:
        self._table = table
        self._kept: dict[int, Kept] = {}
        self._by_name: dict[_Name, dict[int, Kept]] = {}
        # Never one that was given before: an old row may still be in the table, which a full disk kept there.
        self._next_id = 1
        self.total = 0

    def load(self, kept: Kept) -> None:
        """Take in what is remembered already."""
        self._put(kept)

    def skip_ids(self, ids: Iterable[int]) -> None:
        """Give none of these again, though nothing of them is kept: forgetting them may have failed."""
        self._next_id = max([self._next_id, *(id + 1 for id in ids)])

    def add(self, row: Row, folder: ICacheFolder) -> tuple[int, Deferred[None]]:
        """Keep something new; gives the id that it has from now on, and when it is remembered."""
        row = replace(row, id=self._next_id)
        # First: what cannot be written at all, as facts that are no JSON, is not kept either.
        written = self._table.keep(row)
        self._put(Kept(row, folder))
        return row.id, written

    def __getitem__(self, id: int) -> Kept:
        """What has this id; of what somebody holds nobody takes anything away."""
        return self._kept[id]

    def get(self, id: int) -> Kept | None:
        """What has this id, C{None} when it is gone."""
        return self._kept.get(id)

    def all(self) -> Sequence[Kept]:
        """All there are, in the order in which they were made."""
        return list(self._kept.values())

    def named(self, kind: Kind, platform: str, name: str) -> Sequence[Kept]:
        """Those of one name, in the order in which they were made."""
        return list(self._by_name.get((kind, platform, name), {}).values())

    def change(self, id: int, **changes: Any) -> Deferred[None]:
        """Change columns of a row; fires when that is remembered."""
        return self._table.keep(self.note(id, **changes))

    def note(self, id: int, **changes: Any) -> Row:
        """Change columns that nobody needs to remember."""
        kept = self._kept[id]
        row = replace(kept.row, **changes)
        self._put(Kept(row, kept.folder))
        return row

    def take_out(self, ids: Sequence[int]) -> tuple[Sequence[Kept], Deferred[None]]:
        """Nobody gets these any more; gives what they were, and when they are forgotten."""
        gone = [self._pop(id) for id in ids]
        return gone, self._table.forget(list(ids))

    def _put(self, kept: Kept) -> None:
        row, before = kept.row, self._kept.get(kept.row.id)
        # Kept as a sum, for it is looked at before each claim.
        self.total += row.size - (before.row.size if before else 0)
        self._kept[row.id] = kept
        self._by_name.setdefault(_name(row), {})[row.id] = kept
        self._next_id = max(self._next_id, row.id + 1)

    def _pop(self, id: int) -> Kept:
        kept = self._kept.pop(id)
        self.total -= kept.row.size
        same = self._by_name[_name(kept.row)]
        del same[id]
        if not same:
            del self._by_name[_name(kept.row)]
        return kept


def _name(row: Row) -> _Name:
    return row.kind, row.platform, row.name
