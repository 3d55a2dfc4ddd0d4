"""What a run must be shown otherwise than it lies on the disk (L{tcworker.launcher.views}), for its supervisor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tcworker.engine.native.grounds import Spot
from tcworker.engine.native.ways import InTheWay, way

Parts = tuple[str, ...]


@dataclass(frozen=True)
class _Sight:
    """Something that is seen somewhere.

    @ivar source: of a tree.
    @ivar mapped: of a cache: whether it belongs to another user on the disk than to the run's.
    """

    spot: Spot
    source: str | None = None
    read_only: bool = False
    mapped: bool = False

    @property
    def seen(self) -> Parts:
        """Where, from the root."""
        return (*filter(None, self.spot.seen.split("/")), *self.spot.seen_parts)


class Sights:
    """All that one run must be shown.

    @param new_work: makes an empty folder that nobody else can reach, on the disk of the run's own.
    """

    def __init__(self, new_work: Callable[[], str]) -> None:
        self._new_work = new_work
        self._trees: list[_Sight] = []
        self._caches: list[_Sight] = []

    def add_tree(self, spot: Spot, source: str, read_only: bool) -> None:
        """Show a shared folder, over those that were added before."""
        self._trees.append(_Sight(spot, source, read_only))

    def add_cache(self, spot: Spot, mapped: bool) -> None:
        """Show a folder that is the run's alone."""
        self._caches.append(_Sight(spot, mapped=mapped))

    def messages(self) -> list[Mapping[str, Any]]:
        """All of it, for L{tcworker.launcher.views.View}; nothing if the run sees what there is. Raises C{OSError}."""
        places = {tree.seen: tree for tree in self._trees}
        views = [self._view(tree, self._layers(tree.seen), tree.read_only) for tree in places.values()]
        return views + [self._view(cache, [], False) for cache in self._caches if self._is_hidden(cache)]

    def _is_hidden(self, cache: _Sight) -> bool:
        """Whether a cache is not seen where it lies, or not as it is."""
        covered = any(_within(cache.seen, tree.seen) for tree in self._trees)
        return cache.mapped or covered or cache.spot.parts != cache.spot.seen_parts

    def _view(self, sight: _Sight, layers: Sequence[object], read_only: bool) -> Mapping[str, Any]:
        spot = sight.spot
        return {
            "target": (spot.seen, list(spot.seen_parts)),
            "layers": layers,
            "own": None if read_only else (spot.top, list(spot.parts)),
            "work": self._new_work() if layers else None,
            "mapped": sight.mapped,
        }

    def _layers(self, seen: Parts) -> list[tuple[str, Parts]]:
        """What of all trees is seen at a place, the last one first; of those around it, what they have there."""
        around = [tree for tree in reversed(self._trees) if _within(seen, tree.seen)]
        found = [(tree.source or "", seen[len(tree.seen) :]) for tree in around if not self._parts(tree.seen, seen)]
        # The kernel takes none twice, and what lies below itself shows nothing.
        return [layer for layer in dict.fromkeys(found) if _has_folder(*layer)]

    def _parts(self, around: Parts, seen: Parts) -> bool:
        """Whether a cache lies between two places."""
        return any(_within(seen, cache.seen) and _within(cache.seen, around) for cache in self._caches)


def _within(inner: Parts, outer: Parts) -> bool:
    return inner[: len(outer)] == outer


def _has_folder(top: str, parts: Parts) -> bool:
    with contextlib.suppress(OSError, InTheWay), way(top, parts):
        return True
    return False
