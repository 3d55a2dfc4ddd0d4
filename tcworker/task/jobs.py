"""Jobs in threads whose end somebody must wait for: a file may not be closed under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python.failure import Failure

from tcworker.waiting import Executor, OneShot

T = TypeVar("T")


class Jobs:
    """Runs jobs in threads, and knows when none of them runs any more."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._running: set[OneShot[Any]] = set()

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call in a thread. Cancelling this gives up the result; the job itself goes on."""
        job: OneShot[T] = OneShot()
        self._running.add(job)
        result = job.wait()
        self._threads.run(work, *args).addBoth(self._ended, job)
        return result

    async def settled(self) -> None:
        """Wait until all jobs have ended, well or not."""
        # One after the other, since those that wait for them may begin more.
        while self._running:
            await next(iter(self._running)).wait().addErrback(lambda _: None)

    def _ended(self, result: T | Failure, job: OneShot[T]) -> None:
        self._running.discard(job)
        # Whoever gave the result up has cancelled its Deferred, and gets nothing.
        job.settle(result)


class Share:
    """Some of somebody's threads, for one who is not to have them all; an L{Executor}."""

    def __init__(self, threads: Executor, most: int) -> None:
        self._threads = threads
        self._free = DeferredSemaphore(most)

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call in a thread, once one is free."""
        return self._free.run(self._threads.run, work, *args)
