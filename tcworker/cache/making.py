"""One making of something that any number of runs wait for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from tcworker.interfaces import IHeldCache, Make, Say

MakeOne: TypeAlias = Callable[[Make, Say], Coroutine[Deferred[Any], Any, int]]


class Making:
    """It goes on as long as somebody waits; when the one who began it has gone, and it fails, another one's is tried.

    @param make_one: makes it once, in the way of one of those who wait, and gives its id.
    @param give: gives one who waits what has this id, to be given back.
    @param over: called when nobody can join any more.
    """

    def __init__(self, make_one: MakeOne, give: Callable[[int], IHeldCache], over: Callable[[], None]) -> None:
        self._make_one = make_one
        self._give = give
        self._over = over
        self._waiting: list[_Waiter] = []
        self._running: Deferred[None] | None = None

    def join(self, make: Make, say: Say) -> Deferred[IHeldCache]:
        """Wait for it as well; who cancels that waits no more."""
        waiter = _Waiter(make, say, self._left)
        self._waiting.append(waiter)
        return waiter.made

    def start(self) -> Deferred[None]:
        """Begin, when somebody waits; fires when it is over, well or not."""
        self._running = Deferred.fromCoroutine(self._run())
        return self._running

    async def _run(self) -> None:
        try:
            id = await self._make()
        except Exception:
            failure = Failure()
            self._tell(lambda waiter: waiter.made.errback(failure))
        else:
            self._tell(lambda waiter: waiter.made.callback(self._give(id)))

    async def _make(self) -> int:
        while True:
            # Not always the one before: it may have gone since.
            maker = self._waiting[0]
            try:
                return await self._make_one(maker.make, self._say)
            except CancelledError:
                raise
            except Exception:
                # Its run may be over, and its credentials with it: that is nothing to those who still wait.
                if maker in self._waiting or not self._waiting:
                    raise

    def _say(self, line: str) -> None:
        for waiter in self._waiting:
            waiter.say(line)

    def _tell(self, tell: Callable[[_Waiter], None]) -> None:
        waiting, self._waiting = self._waiting, []
        # Without anybody the last one who went has said it already.
        if waiting:
            self._over()
        for waiter in waiting:
            # One that is told may make another one wait no more.
            if not waiter.made.called:
                tell(waiter)

    def _left(self, waiter: _Waiter) -> None:
        if waiter not in self._waiting:
            return
        self._waiting.remove(waiter)
        if not self._waiting and self._running is not None:
            # Who asks from now on begins anew.
            self._over()
            self._running.cancel()


class _Waiter:
    """Somebody who waits, and could make it as well."""

    def __init__(self, make: Make, say: Say, left: Callable[[_Waiter], None]) -> None:
        self.make = make
        self.say = say
        self.made: Deferred[IHeldCache] = Deferred(lambda _: left(self))
