"""The caches that one run may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.cache.exclusive import ExclusiveCaches
from tcworker.cache.homes import Home
from tcworker.cache.shared import SharedCaches
from tcworker.interfaces import ICaches, IHeldCache, Make, RoomMade, Say


@dataclass(frozen=True)
class Upkeep:
    """What a run may have done with the caches of all runs.

    @ivar heed_purges: throws away what Taskcluster was asked to have purged.
    @ivar make_room: throws away what nobody uses, after a disk was full, of which it gets a path, if anybody knows one;
        fires with what came of it.
    """

    heed_purges: Callable[[], Deferred[None]]
    make_room: Callable[[str | None], Deferred[RoomMade]]


@implementer(ICaches)
class RunCaches:
    """See L{ICaches}.

    @param run: the run's name.
    @param home: of its platform.
    """

    def __init__(
        self,
        run: str,
        exclusive: ExclusiveCaches,
        shared: SharedCaches,
        home: Home,
        downloads: Home,
        upkeep: Upkeep,
    ) -> None:
        self._run = run
        self._exclusive = exclusive
        self._shared = shared
        self._home = home
        self._downloads = downloads
        self._upkeep = upkeep

    def heed_purges(self) -> Deferred[None]:
        """See L{ICaches.heed_purges}."""
        return self._upkeep.heed_purges()

    def make_room(self, full: str | None = None) -> Deferred[RoomMade]:
        """See L{ICaches.make_room}."""
        return self._upkeep.make_room(full)

    def exclusive(self, name: str) -> Deferred[IHeldCache]:
        """See L{ICaches.exclusive}."""
        return Deferred.fromCoroutine(self._exclusive.take(self._run, self._home, name))

    def shared(self, key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """See L{ICaches.shared}."""
        return self._shared.get(self._home, key, make, say)

    def downloaded(self, key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """See L{ICaches.downloaded}."""
        return self._shared.get(self._downloads, key, make, say)
