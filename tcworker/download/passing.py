"""Failures that may pass, and the patience with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from tcworker.errors import Cause, DownloadFailed, ResourceUnavailable, TaskError
from tcworker.retry import Backoff
from tcworker.waiting import pause

T = TypeVar("T")

BACKOFF = Backoff(0.5, 15.0)

LAST_TRY = 1.0
"""Seconds before the end of the time, in which a try may still succeed."""

SILENCE = 60.0
"""Seconds in which at least a byte must come; fewer when the time for all of it is nearly over."""

SHORTEST_SILENCE = 1.0
"""What a server gets of that in any case."""

LEAST_SPEED = 1000
"""Bytes a second that a server must send in the long run: each of them buys it a thousandth of a second.

Slower than any line that somebody would put a worker on. A server that only drips would hold its task for days.
"""


_ADVICE = "look whether its server is well and can be reached from this worker, and run the task again"


class Passing(Exception):
    """An attempt failed, and the next one may succeed.

    @ivar wait: seconds that the server wants to be left alone.
    @ivar away: whether it is Taskcluster that does not answer as it should.
    """

    def __init__(self, why: str, *, wait: float = 0.0, away: bool = False) -> None:
        super().__init__(why)
        self.wait = wait
        self.away = away


class Hopeless(Exception):
    """An attempt failed, and so would all others."""


class Persistence:
    """Tries until for so many seconds nothing went forward, or no faster than at L{LEAST_SPEED}.

    One may serve several things that are wanted one after the other; they share the time then.
    """

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        # Up to when what came has bought it time: what had not come before, and anything at all in this attempt.
        self._forward = self._moving = clock.seconds()
        self._held: float | None = None

    @property
    def left(self) -> float:
        """Seconds until it is given up."""
        return self._forward + self._seconds - self._now

    @property
    def silence(self) -> float:
        """Seconds for which a server may say nothing now."""
        return max(SHORTEST_SILENCE, min(SILENCE, self._moving + self._seconds - self._now))

    @property
    def too_slow(self) -> bool:
        """Whether what came in this attempt was too little for the time that it took."""
        return self._moving + self._seconds <= self._now

    def came(self, size: int, new: int) -> None:
        """Some bytes came, and so many of them had not come before."""
        # Never ahead of the time: what is fast for a while may be silent for no longer than others.
        self._moving = min(self._now, self._moving + size / LEAST_SPEED)
        self._forward = min(self._now, self._forward + new / LEAST_SPEED)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While in here, what came is worked on: time in which nobody waits for the server."""
        self._held = self._clock.seconds()
        try:
            yield
        finally:
            held = self._clock.seconds() - self._held
            self._held = None
            self._forward += held
            self._moving += held

    def in_time(self, answer: Deferred[T]) -> Deferred[T]:
        """The same, which fails with C{TimeoutError} when there is no time left for it."""
        return answer.addTimeout(max(SHORTEST_SILENCE, self.left), self._clock)

    async def persist(self, words: str, attempt: Callable[[], Awaitable[T]], say: Callable[[str], None]) -> T:
        """Give what the first successful try answered. Raises L{DownloadFailed}, L{ResourceUnavailable}.

        @param words: what is tried to be had.
        @param say: is told why it waits.
        """
        delays = BACKOFF.delays()
        while True:
            before = self._moving = self._forward
            try:
                return await attempt()
            except Hopeless as trouble:
                raise DownloadFailed(f"{words}: {trouble}") from trouble
            except Passing as trouble:
                if self.left <= LAST_TRY:
                    raise self._given_up(words, trouble) from trouble
                # Who gets on, however little at a time, is not in the trouble that longer and longer pauses are for.
                if self._forward != before:
                    delays = BACKOFF.delays()
                delay = min(max(next(delays), trouble.wait), self.left - LAST_TRY)
                say(f"{words}: {trouble}; trying again in {delay:.0f} s")
            await pause(self._clock, delay)

    @property
    def _now(self) -> float:
        return self._clock.seconds() if self._held is None else self._held

    def _given_up(self, words: str, trouble: Passing) -> TaskError:
        why = f"{words}: {trouble}; given up after {self._seconds:g} s without success"
        if not trouble.away:
            return DownloadFailed(f"{why}: {_ADVICE}")
        evidence = {"what": words, "error": str(trouble)}
        return ResourceUnavailable(why, cause=Cause.TASKCLUSTER_AWAY, evidence=evidence)
