"""Failures that may pass, and the patience with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from tcworker.errors import Cause, DownloadFailed, ResourceUnavailable, TaskError
from tcworker.retry import Backoff
from tcworker.waiting import pause

T = TypeVar("T")

BACKOFF = Backoff(0.5, 15.0)

LAST_TRY = 1.0
"""Seconds before the end of the time, in which a try may still succeed."""


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
    """Tries until for so many seconds nothing went forward.

    @param words: what is tried to be had.
    """

    def __init__(self, clock: IReactorTime, seconds: float, words: str) -> None:
        self._clock = clock
        self._seconds = seconds
        self._words = words
        self._forward = clock.seconds()

    @property
    def left(self) -> float:
        """Seconds until it is given up."""
        return self._forward + self._seconds - self._clock.seconds()

    def went_forward(self) -> None:
        """Something came that had not come before."""
        self._forward = self._clock.seconds()

    async def persist(self, attempt: Callable[[], Awaitable[T]], say: Callable[[str], None]) -> T:
        """Give what the first successful try answered. Raises L{DownloadFailed}, L{ResourceUnavailable}.

        @param say: is told why it waits.
        """
        delays = BACKOFF.delays()
        while True:
            before = self._forward
            try:
                return await attempt()
            except Hopeless as trouble:
                raise DownloadFailed(f"{self._words}: {trouble}") from trouble
            except Passing as trouble:
                if self.left <= LAST_TRY:
                    raise self._given_up(trouble) from trouble
                # Who gets on, however little at a time, is not in the trouble that longer and longer pauses are for.
                if self._forward != before:
                    delays = BACKOFF.delays()
                delay = min(max(next(delays), trouble.wait), self.left - LAST_TRY)
                say(f"{self._words}: {trouble}; trying again in {delay:.0f} s")
            await pause(self._clock, delay)

    def _given_up(self, trouble: Passing) -> TaskError:
        why = f"{self._words}: {trouble}; given up after {self._seconds:g} s without success"
        if not trouble.away:
            return DownloadFailed(why)
        evidence = {"what": self._words, "error": str(trouble)}
        return ResourceUnavailable(why, cause=Cause.TASKCLUSTER_AWAY, evidence=evidence)
