"""Tries, again and again, within the time that a run has for its uploads."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tcworker.errors import CallFailed, Cause, ResourceUnavailable, Unreachable
from tcworker.retry import Backoff
from tcworker.task.put import Refused
from tcworker.waiting import pause

_log = Logger()

T = TypeVar("T")

_LOOK_EVERY = 10.0
"""Seconds after which the time that is left is looked at again: reclaims prolong it, a shutdown cuts it short."""

_MOST_REFUSALS = 5
"""How often a storage may refuse an address: one that has expired is refused once, one that is wrong for ever."""

_LAST_TRY = 1.0
"""Seconds before the end of the time, in which a try may still succeed."""

_LONGEST_OUTAGE = 30 * 60.0
"""Seconds from the first failure to the last: a claim may be prolonged for days, and a worker has other tasks."""


@dataclass(frozen=True)
class Patience:
    """Tries until there is no time left, or nothing has worked for half an hour.

    @ivar time_left: seconds; asked again and again.
    """

    clock: IReactorTime
    time_left: Callable[[], float]
    backoff: Backoff = field(default=Backoff(1.0, 30.0))

    async def persist(self, what: str, attempt: Callable[[], Coroutine[Any, Any, T]], tries: float = math.inf) -> T:
        """Give what the first successful try answered. Raises L{ResourceUnavailable} when there was none in time.

        @param tries: how many there may be, time or not.
        """
        refusals, since = 0, math.inf
        for number, delay in enumerate(self.backoff.delays(), 1):
            try:
                return await self.within(what, attempt())
            except (Unreachable, CallFailed, Refused) as error:
                # An outage may last; an address that is refused again and again will not be taken tomorrow.
                refusals += isinstance(error, Refused) and error.lasting
                since = min(since, self.clock.seconds())
                left = min(self.time_left(), since + _LONGEST_OUTAGE - self.clock.seconds()) - _LAST_TRY
                # It never passes, the address is wrong, the tries are used up, or the next one would come too late.
                if not _may_pass(error) or refusals >= _MOST_REFUSALS or number >= tries or left <= 0:
                    raise _unavailable(what, error) from error
                delay = min(delay, left)
                _log.info("{what}: {error}; trying again in {delay:.0f} s", what=what, error=str(error), delay=delay)
            await pause(self.clock, delay)
        raise AssertionError("delays never end")

    async def within(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        """Give what some work comes to. Cancels it, and raises L{ResourceUnavailable}, when no time is left."""
        running = Deferred.fromCoroutine(work)
        watch = _Watch(self, running.cancel)
        watch.start()
        try:
            return await running
        except CancelledError:
            if not watch.over:
                raise
            # From None: what was cut off says nothing that the artifact's name does not.
            why = f"{what}: no time is left"
            raise ResourceUnavailable(why, cause=Cause.OUT_OF_TIME, evidence={"what": what}) from None
        finally:
            watch.stop()


def _may_pass(error: Unreachable | CallFailed | Refused) -> bool:
    # These refusals say that somebody has no time just now.
    return error.may_pass or (isinstance(error, CallFailed) and error.status in (408, 429))


def _unavailable(what: str, error: Unreachable | CallFailed | Refused) -> ResourceUnavailable:
    refused = error.lasting if isinstance(error, Refused) else not _may_pass(error)
    if refused:
        return ResourceUnavailable.refused(what, str(error))
    evidence = {"what": what, "error": str(error)}
    return ResourceUnavailable(f"{what}: {error}", cause=Cause.TASKCLUSTER_AWAY, evidence=evidence)


class _Watch:
    """Ends something when no time is left for it.

    @ivar over: whether it did.
    """

    over = False

    def __init__(self, patience: Patience, end: Callable[[], None]) -> None:
        self._patience = patience
        self._end = end
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        left = max(0.0, self._patience.time_left())
        self._timer = self._patience.clock.callLater(min(left, _LOOK_EVERY), self._look)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _look(self) -> None:
        if self._patience.time_left() > 0:
            self.start()
        else:
            self.over = True
            self._end()
