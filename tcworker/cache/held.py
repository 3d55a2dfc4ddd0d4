"""A cache in somebody's hands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tcworker.interfaces import JSON, ICacheFolder, IHeldCache
from tcworker.waiting import Loose, OneShot

_Work: TypeAlias = Coroutine[Deferred[Any], Any, None]


@implementer(IHeldCache)
class HeldCache:
    """See L{IHeldCache}.

    @param give_back: what is done when it is given back, C{drop} when it is dropped; one of them, once.
    @param loose: does that even if who waits for it goes away.
    """

    def __init__(
        self,
        folder: ICacheFolder,
        fresh: bool,
        facts: JSON,
        give_back: Callable[[], _Work],
        drop: Callable[[str], _Work],
        loose: Loose,
    ) -> None:
        self.folder = folder
        self.fresh = fresh
        self.facts = facts
        self._give_back = give_back
        self._drop = drop
        self._loose = loose
        self._let_go: OneShot[None] | None = None

    def give_back(self) -> Deferred[None]:
        """See L{IHeldCache.give_back}."""
        return self._once(self._give_back)

    def drop(self, why: str) -> Deferred[None]:
        """See L{IHeldCache.drop}."""
        return self._once(lambda: self._drop(why))

    def _once(self, work: Callable[[], _Work]) -> Deferred[None]:
        # A hook that fails in the middle may be followed by one that does the same again.
        if self._let_go is None:
            self._let_go = OneShot()
            self._loose.run(_do(work(), self._let_go), f"letting go of {self.folder.name}")
        return self._let_go.wait()


async def _do(work: _Work, done: OneShot[None]) -> None:
    try:
        # What it fails with is in the log: who lets go can do nothing about it.
        await work
    finally:
        done.succeed(None)
