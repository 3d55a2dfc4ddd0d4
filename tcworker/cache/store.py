"""All caches of a worker: who has which, what is known of each, and what is to go."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from twisted.internet.defer import Deferred

from tcworker.cache.rows import Row, Thrown
from tcworker.interfaces import ICaches, IPlatform


class CacheStore:
    """What is kept for tasks, in memory and in the worker's state."""

    @property
    def total(self) -> int:
        """Bytes of all that is kept, in use or not, as last measured."""
        raise NotImplementedError

    def open(self, platforms: Sequence[IPlatform]) -> Deferred[None]:
        """Find what an earlier worker kept, and throw away what it had in use and what nobody knows.

        After L{IPlatform.prepare} of all of them. Fails with L{StateUnusable} or L{ConfigError}.
        """
        raise NotImplementedError

    def close(self) -> Deferred[None]:
        """Nothing is made, measured or removed any more."""
        raise NotImplementedError

    def for_run(self, run: str, platform: IPlatform) -> ICaches:
        """Give those that a run may have.

        @param run: its name.
        """
        raise NotImplementedError

    def rows(self) -> Deferred[Sequence[Row]]:
        """All there are, in the order in which they were made."""
        raise NotImplementedError

    def idle(self) -> Deferred[Sequence[Row]]:
        """Those that nobody uses now."""
        raise NotImplementedError

    def throw_away(self, rows: Sequence[Row]) -> Deferred[Thrown]:
        """Let go of those that still nobody uses; fires when their bytes are free."""
        raise NotImplementedError

    def settled(self) -> Deferred[None]:
        """Fire when nothing is being removed any more."""
        raise NotImplementedError

    def sweep(self) -> Deferred[None]:
        """Remove what lies in the folders of caches and is known to nobody."""
        raise NotImplementedError

    def purge(self, name: str, before: float = inf) -> Deferred[str]:
        """Throw away the exclusive caches of a name that were made before a time, those in use once they are not.

        Fires when no other run can get one, with words for the log; without any if there were none.
        """
        raise NotImplementedError

    def clear(self) -> Deferred[str]:
        """Throw away all there are, in the same way."""
        raise NotImplementedError
