"""Small things that wait: one-shot results, pauses, loose Deferreds and threads, each owned by somebody."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from tcworker.clocks import wall_seconds

T = TypeVar("T")


class OneShot(Generic[T]):
    """A result that comes once and that any number of people may wait for.

    The first call of L{succeed}, L{fail} or L{settle} wins, later ones are ignored. Each L{wait} gives a Deferred of
    its own, so that no waiter can change what another one gets, and cancelling one leaves the rest alone.
    """

    def __init__(self) -> None:
        self._outcome: T | Failure | None = None
        self._fired = False
        self._waiting: list[Deferred[T]] = []

    @property
    def fired(self) -> bool:
        """Whether the result is there."""
        return self._fired

    def wait(self) -> Deferred[T]:
        """Give a fresh Deferred of the result."""
        waiter: Deferred[T] = Deferred(self._forget)
        if self._fired:
            self._deliver(waiter)
        else:
            self._waiting.append(waiter)
        return waiter

    def succeed(self, result: T) -> None:
        """Fire with a result, unless it has already fired."""
        self.settle(result)

    def fail(self, reason: Failure | Exception) -> None:
        """Fire with a failure, unless it has already fired."""
        self.settle(reason if isinstance(reason, Failure) else Failure(reason))

    def settle(self, outcome: T | Failure) -> None:
        """Fire with whatever a Deferred came to, unless it has already fired; for its C{addBoth}."""
        if self._fired:
            return
        self._fired, self._outcome = True, outcome
        # A waiter may ask again, or give up, while it is told.
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            self._deliver(waiter)

    def _deliver(self, waiter: Deferred[T]) -> None:
        if isinstance(self._outcome, Failure):
            waiter.errback(self._outcome)
        else:
            waiter.callback(self._outcome)  # type: ignore[arg-type]  # fired, so it is a T

    def _forget(self, waiter: Deferred[T]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)


class Loose:
    """Background work that nobody awaits: its failures are logged, and its owner can wait for the end of all of it."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._running: set[Deferred[Any]] = set()

    def run(self, work: Coroutine[Deferred[Any], Any, Any] | Deferred[Any], what: str) -> None:
        """Start (or take over) some work; C{what} says in the log what it was, should it fail."""
        deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
        self._running.add(deferred)

        def ended(result: Any) -> None:
            self._running.discard(deferred)
            # Its owner cancels work on purpose: that is no news.
            if isinstance(result, Failure) and not result.check(CancelledError):
                self._log.failure("{what} failed", failure=result, what=what)

        deferred.addBoth(ended)

    async def finish(self, work: Coroutine[Deferred[Any], Any, T], what: str) -> T:
        """Do some work to its end, even if who waits for it here is cancelled; its failure is logged only then."""
        outcome: OneShot[T] = OneShot()
        working: Deferred[Any] = Deferred.fromCoroutine(work)
        self._running.add(working)
        working.addBoth(outcome.settle).addBoth(lambda _: self._running.discard(working))
        try:
            return await outcome.wait()
        except CancelledError:
            self.run(outcome.wait(), what)
            raise

    def wait(self) -> Deferred[None]:
        """Fire when all that runs now has ended, well or not."""
        return DeferredList(list(self._running)).addCallback(lambda _: None)

    async def end(self, clock: IReactorTime, seconds: float) -> None:
        """Return when all that runs now has ended, for which it has so many seconds before it is cancelled."""
        hurry = clock.callLater(seconds, self.cancel)
        await self.wait()
        if hurry.active():
            hurry.cancel()

    def cancel(self) -> Deferred[None]:
        """Cancel all that runs and fire when it has ended."""
        running = list(self._running)
        for deferred in running:
            deferred.cancel()
        return DeferredList(running).addCallback(lambda _: None)


async def whatever_happens(work: Deferred[Any]) -> None:
    """Wait for some work that goes on even if somebody cancels the wait. Raises what it fails with."""
    done: OneShot[Any] = OneShot()
    work.addBoth(done.settle)
    await done.wait()


def now(clock: IReactorTime) -> datetime:
    """The date to be written, in UTC: by a clock, or by the machine's if that is the steady one of a reactor."""
    return datetime.fromtimestamp(wall_seconds(clock), UTC)


def pause(clock: IReactorTime, seconds: float) -> Deferred[None]:
    """Fire after some seconds; cancelling it takes the timer away."""
    waiting: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(seconds, waiting.callback, None)
    return waiting


class Executor(Protocol):
    """Whoever calls what blocks in another place, and fires with what it returned or raised."""

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]: ...


class ReactorThreads:
    """The threads that a reactor has for everybody, for short jobs of somebody who has no end of his own."""

    def __init__(self, reactor: IReactorThreads) -> None:
        self._reactor = reactor

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """See L{Threads.run}."""
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work, *args)


class Threads:
    """A thread pool of one owner, for work that blocks: files, SQLite, compression.

    @param reactor: where results come back.
    @param most: how many threads at the most; 1 keeps the order of calls.
    """

    def __init__(self, reactor: IReactorThreads, most: int, name: str) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, most, name)
        self._pool.start()

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call in a thread and fire with what it returned or raised. A job that has begun cannot be cancelled."""
        return deferToThreadPool(self._reactor, self._pool, work, *args)

    def stop(self) -> Deferred[None]:
        """End the threads; fires when the jobs under way are done. To be called once."""
        # Stopping a pool waits for its threads, so it is done in one of another pool.
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._pool.stop)
