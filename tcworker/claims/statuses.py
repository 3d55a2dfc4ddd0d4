"""Asks the queue whether runs in hand have been ended, for all of them at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.claims.hand import EARLY_SECONDS, Hand, Run
from tcworker.errors import CallFailed, TaskclusterError
from tcworker.interfaces import JSON, QueueCalls
from tcworker.json_reading import at
from tcworker.task.run_status import decision_of_queue
from tcworker.waiting import Loose, pause

AT_ONCE = 1000
"""How many tasks the queue tells of in one answer (contracts of the queue, 1.2)."""

YOUNGEST = 1.0
"""Seconds that a run must have lasted to be asked for: who runs many short ones pays nothing."""

JITTER = 0.25
REFUSED_SECONDS = 3600.0
SCOPES_NEEDED = " (the worker's client, or everybody, needs queue:status:*)"

_log = Logger()


class Statuses:
    """Looks how the runs in hand stand, and tells of those that the queue has ended.

    @param queue: called with the worker's credentials.
    """

    def __init__(self, clock: IReactorTime, queue: QueueCalls, hand: Hand) -> None:
        self._clock = clock
        self._queue = queue
        self._hand = hand
        self._refused_until = clock.seconds()
        self._in_trouble = False

    @property
    def refused(self) -> bool:
        """Whether the queue has said no, not long ago: then each run asks for itself."""
        return self._clock.seconds() < self._refused_until

    async def look(self, runs: Iterable[Run]) -> bool:
        """Look once; gives whether all was found out that may be."""
        left = iter(runs)
        while some := list(islice(left, AT_ONCE)):
            if not await (self._look_singly(some) if self.refused else self._look_at(some)):
                return False
        return True

    async def _look_at(self, runs: Sequence[Run]) -> bool:
        try:
            answer = await self._queue.statuses({"taskIds": sorted({run.claim.task_id for run in runs})})
            self._read(answer, runs)
        except CancelledError:
            raise
        except (TaskclusterError, ValueError) as error:
            if isinstance(error, CallFailed) and error.denies_access:
                self._leave_it_for_a_while(error)
                return await self._look_singly(runs)
            return self._trouble(error)
        self._in_trouble = False
        return True

    def _trouble(self, error: Exception) -> bool:
        # An outage is as long as it likes, and its news is that it began.
        if not self._in_trouble:
            _log.warn("the queue does not say how the runs in hand stand, asking again: {error}", error=error)
        self._in_trouble = True
        return False

    def _read(self, answer: JSON, runs: Sequence[Run]) -> None:
        statuses = _by_task(answer)
        for run in runs:
            if (status := statuses.get(run.claim.task_id)) is not None:
                self._tell(run, status)

    def _tell(self, run: Run, status: JSON) -> None:
        claim = run.claim
        resolution = decision_of_queue(status, claim.run_id)
        if resolution is not None:
            self._hand.decided(claim.task_id, claim.run_id, resolution)

    def _leave_it_for_a_while(self, error: CallFailed) -> None:
        self._refused_until = self._clock.seconds() + REFUSED_SECONDS
        _log.warn(
            "cancellations are noticed only when claims are renewed for {minutes:.0f} minutes: {error}{needed}",
            minutes=REFUSED_SECONDS / 60,
            error=error,
            needed=SCOPES_NEEDED if error.status == 403 else "",
        )

    async def _look_singly(self, runs: Sequence[Run]) -> bool:
        """Ask each run's own way, once."""
        return all([await self._look_at_one(run) for run in runs])

    async def _look_at_one(self, run: Run) -> bool:
        try:
            answer = await run.context.queue.status(run.claim.task_id)
            self._tell(run, at(answer, dict, "status"))
        except CancelledError:
            raise
        except (TaskclusterError, ValueError) as error:
            _log.info("nor with the run's own credentials: {error}", error=error, run=run.claim.name)
            return isinstance(error, CallFailed) and error.denies_access
        return True


class StatusPolls(Service):
    """Looks every so many seconds, unless somebody hears of all that happens without asking.

    @param seconds: between two looks, more or less: not all workers shall ask at once.
    """

    def __init__(self, clock: IReactorTime, statuses: Statuses, hand: Hand, seconds: float) -> None:
        self._clock = clock
        self._statuses = statuses
        self._hand = hand
        self._seconds = seconds
        self._loose = Loose(_log)

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._loose.run(self._poll(), "asking for statuses")

    def stopService(self) -> Deferred[None]:
        """Look no more."""
        super().stopService()
        return self._loose.cancel()

    def rest(self) -> None:
        """From now on somebody hears of everything: look until it is known what was missed, then no more."""
        self._instead(self._catch_up)

    def resume(self) -> None:
        """Nobody hears of anything any more."""
        self._instead(self._poll)

    def _instead(self, work: Callable[[], Coroutine[Deferred[Any], Any, None]]) -> None:
        if self.running:
            # What was asked before is no answer to what is asked now.
            self._loose.cancel()
            self._loose.run(work(), "asking for statuses")

    async def _poll(self) -> None:
        while True:
            await self._pause()
            if not self._statuses.refused:
                await self._look(self._hand.undecided(YOUNGEST))

    async def _catch_up(self) -> None:
        """Ask of what is in hand, and of what comes into it while its claim's answer may have been on its way."""
        end = self._clock.seconds() + EARLY_SECONDS
        asked: set[Run] = set()
        while True:
            last = self._clock.seconds() >= end
            runs = [run for run in self._hand.undecided() if run not in asked]
            if await self._look(runs):
                asked.update(runs)
                if last:
                    return
            await self._pause()

    async def _look(self, runs: Sequence[Run]) -> bool:
        try:
            return await self._statuses.look(runs)
        except CancelledError:
            raise
        except Exception:
            _log.failure("looking how the runs in hand stand failed")
            return False

    def _pause(self) -> Deferred[None]:
        return pause(self._clock, self._seconds * random.uniform(1 - JITTER, 1 + JITTER))


def _by_task(answer: JSON) -> Mapping[str, JSON]:
    """The statuses of an answer by their tasks. Raises C{ValueError} for what is no such answer."""
    each = (at(answer, dict, "statuses", number) for number in range(len(at(answer, list, "statuses"))))
    return {at(one, str, "taskId"): at(one, dict, "status") for one in each}
