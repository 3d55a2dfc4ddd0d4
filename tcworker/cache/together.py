"""Does many small things in one job of a thread: going there and back costs more than each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")

MOST = 64
"""In one job: who waits for one of them waits for all."""


class Together(Generic[T]):
    """What is asked for while a job is at work is done by the next one.

    @param run: calls something in a thread, as L{tcworker.waiting.Executor.run}.
    @param work: what is done for each.
    """

    def __init__(self, run: Callable[..., Deferred[Any]], work: Callable[[T], None]) -> None:
        self._run = run
        self._work = work
        self._waiting: list[tuple[T, Deferred[None]]] = []
        self._at_work = False

    def do(self, what: T) -> Deferred[None]:
        """Fire when it is done, or with what it failed with; who waits no more changes nothing."""
        done: Deferred[None] = Deferred()
        self._waiting.append((what, done))
        if not self._at_work:
            self._begin()
        return done

    def _begin(self) -> None:
        now, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._at_work = True
        self._run(self._do_all, [what for what, _ in now]).addBoth(self._ended, [done for _, done in now])

    def _do_all(self, all: Sequence[T]) -> Sequence[Failure | None]:
        return [self._try(what) for what in all]

    def _try(self, what: T) -> Failure | None:
        try:
            # One that fails takes nobody else's turn away.
            return self._work(what)
        except Exception:
            return Failure()

    def _ended(self, results: Sequence[Failure | None] | Failure, waiting: Sequence[Deferred[None]]) -> None:
        self._at_work = False
        # Before anybody is told: the thread does the next ones while the reactor tells of these.
        if self._waiting:
            self._begin()
        each = [results] * len(waiting) if isinstance(results, Failure) else results
        for done, result in zip(waiting, each, strict=True):
            done.callback(None) if result is None else done.errback(result)
