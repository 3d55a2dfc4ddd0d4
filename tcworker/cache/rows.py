"""What a worker knows of each thing that it keeps for tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tcworker.interfaces import JSON
from tcworker.watch.disks import MEGABYTE

Kind: TypeAlias = Literal["exclusive", "shared"]

EXCLUSIVE: Kind = "exclusive"
SHARED: Kind = "shared"

NO_FOLDER = "somebody removed its folder"
"""Why a cache is dropped that nobody could use."""

DOWNLOADS = "downloads"
"""Stands where the name of a platform would, for what is of none."""


@dataclass(frozen=True)
class Row:
    """One cache, as it is remembered; times in seconds since 1970 by Taskcluster's clock.

    @ivar platform: the name of the one whose folder it is, or L{DOWNLOADS}.
    @ivar name: of an exclusive cache; the key of a shared one.
    @ivar details: by which its platform finds it.
    @ivar size: bytes by disk blocks.
    @ivar used: when somebody last let go of it, or got it.
    @ivar seconds: that it took to make: for an exclusive one those until it was first given back.
    @ivar run: the name of the run that holds an exclusive one.
    @ivar readers: how many hold a shared one; not remembered over a restart, for they change nothing.
    @ivar purged: whether nobody may have it again.
    @ivar facts: of the maker of a shared one.
    """

    id: int
    kind: Kind
    platform: str
    name: str
    created: float
    used: float
    details: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    seconds: float = 0.0
    run: str | None = None
    readers: int = 0
    purged: bool = False
    facts: JSON = None

    @property
    def idle(self) -> bool:
        """Whether nobody uses it now."""
        return self.run is None and not self.readers

    def is_meant(self, name: str, before: float) -> bool:
        """Whether a purge of the caches of a name that were made before a time is about it."""
        return self.kind == EXCLUSIVE and self.name == name and self.created < before

    @property
    def path(self) -> str | None:
        """Where it lies, C{None} where nobody knows."""
        path = self.details.get("path")
        return path if isinstance(path, str) else None

    @property
    def words(self) -> str:
        """What it is, for people."""
        if self.kind == EXCLUSIVE:
            return f"cache {self.name}"
        return f"{'download' if self.platform == DOWNLOADS else 'shared cache'} {self.name}"


def megabytes(rows: Iterable[Row]) -> str:
    """How much that is, for people."""
    return f"{sum(row.size for row in rows) / MEGABYTE:.1f} MiB"


@dataclass(frozen=True)
class Thrown:
    """What came of throwing things away.

    @ivar gone: those of which nothing is left.
    @ivar failed: those of which something is, each with why; nobody gets one of them again.
    """

    gone: Sequence[Row]
    failed: Sequence[tuple[Row, str]] = ()
