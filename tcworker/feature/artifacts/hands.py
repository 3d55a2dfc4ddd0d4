"""How many files are in hand at a time."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.python.failure import Failure


class Hands:
    """Does something with each of many files, with few of them at a time.

    @ivar failures: what work failed with.
    """

    def __init__(self, most: int) -> None:
        self.failures: list[Failure] = []
        self._free = DeferredSemaphore(most)
        self._waiting: set[Deferred[DeferredSemaphore]] = set()
        self._working: set[Deferred[None]] = set()
        self._closed = False
        self._idle: Deferred[None] | None = None

    async def take(self) -> bool:
        """Wait for a hand that is free, and take it; C{False} if none is to be had any more."""
        if self._closed:
            return False
        waiting = self._free.acquire()
        self._waiting.add(waiting)
        try:
            await waiting
        except CancelledError:
            if not self._closed:
                raise
            return False
        finally:
            self._waiting.discard(waiting)
        return True

    def let_go(self) -> None:
        """Free a hand that was taken."""
        self._free.release()

    def work(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Do something with a hand that was taken, and free it then."""
        working = Deferred.fromCoroutine(work)
        self._working.add(working)

        def ended(result: Failure | None) -> None:
            self._working.discard(working)
            if isinstance(result, Failure):
                self.failures.append(result)
            self.let_go()
            if not self._working and self._idle is not None:
                self._idle.callback(None)

        working.addBoth(ended)

    def close(self) -> None:
        """Let nobody take a hand from now on, not even those who wait for one."""
        self._closed = True
        for waiting in list(self._waiting):
            waiting.cancel()

    async def idle(self) -> None:
        """Return when all work that was begun has ended."""
        if self._working:
            self._idle = Deferred()
            try:
                await self._idle
            finally:
                self._idle = None

    async def stop(self) -> None:
        """Cancel all work, and return when it has ended."""
        working = list(self._working)
        for each in working:
            each.cancel()
        await DeferredList(working)
