"""Tries, again and again, within the time that a run has for its uploads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

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

_LAST_TRY = 1.0
"""Seconds before the end of the time, in which a try may still succeed."""

Trouble: TypeAlias = Unreachable | CallFailed | Refused
"""What may pass."""

Rest: TypeAlias = Callable[[IReactorTime, float], Awaitable[None]]
"""Waits for so many seconds."""

Note: TypeAlias = Callable[[Trouble], None]
"""Is told of each try that failed, if another one follows."""


def forget(trouble: Trouble) -> None:
    """A L{Note} for what nobody asks about."""


@dataclass(frozen=True)
class Futile:
    """Failures that are for ever if they are seen again and again, where an outage is not.

    @ivar most: how many of them end it.
    """

    most: int
    is_one: Callable[[Trouble], bool]


REFUSED = Futile(5, lambda error: isinstance(error, Refused) and error.lasting)
"""Addresses that a storage refuses: one that has expired is refused once, one that is wrong each time."""


@dataclass(frozen=True)
class Patience:
    """Tries until there is no time left, which there is as long as the claim can be kept.

    @ivar time_left: seconds; asked again and again.
    @ivar rest: how it waits between two tries.
    @ivar note: hears meanwhile why there has to be another one.
    """

    clock: IReactorTime
    time_left: Callable[[], float]
    backoff: Backoff = field(default=Backoff(1.0, 30.0))
    rest: Rest = pause
    note: Note = forget

    async def persist(self, what: str, attempt: Callable[[], Coroutine[Any, Any, T]], futile: Futile = REFUSED) -> T:
        """Give what the first successful try answered. Raises L{ResourceUnavailable} when there was none in time.

        @param futile: what ends it before.
        """
        in_vain, last = 0, None
        for delay in self.backoff.delays():
            try:
                return await self.within(what, attempt(), last)
            except (Unreachable, CallFailed, Refused) as error:
                in_vain, last = in_vain + futile.is_one(error), error
                left = self.time_left() - _LAST_TRY
                # It never passes, or has not passed too often, or the next try would come too late.
                if not _may_pass(error) or in_vain >= futile.most or left <= 0:
                    raise _unavailable(what, error) from error
                delay = min(delay, left)
                self.note(error)
                _log.info("{what}: {error}; trying again in {delay:.0f} s", what=what, error=str(error), delay=delay)
            await self.rest(self.clock, delay)
        raise AssertionError("delays never end")

    async def within(self, what: str, work: Coroutine[Any, Any, T], last: Trouble | None = None) -> T:
        """Give what some work comes to. Cancels it, and raises L{ResourceUnavailable}, when no time is left.

        @param last: what the try before failed with.
        """
        running = Deferred.fromCoroutine(work)
        watch = _Watch(self, running.cancel)
        watch.start()
        try:
            return await running
        except CancelledError:
            if not watch.over:
                raise
            # From None: what was cut off says nothing that the artifact's name does not.
            raise _out_of_time(what, last) from None
        finally:
            watch.stop()


def _out_of_time(what: str, last: Trouble | None) -> ResourceUnavailable:
    why, evidence = f"{what}: no time is left", {"what": what}
    if last is not None:
        why, evidence = f"{why}; {last_try(str(last))}", {**evidence, "error": str(last)}
    return ResourceUnavailable(why, cause=Cause.OUT_OF_TIME, evidence=evidence)


def last_try(error: str) -> str:
    """Say what the last try that came to its end did not get through."""
    return f"the last try failed: {error}"


def _may_pass(error: Trouble) -> bool:
    # These refusals say that somebody has no time just now.
    return error.may_pass or (isinstance(error, CallFailed) and error.status in (408, 429))


def _unavailable(what: str, error: Trouble) -> ResourceUnavailable:
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
