"""Runs that nobody runs any more: those of a worker that died in the same state directory, and what others left."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from tcworker.errors import Cause, ResourceUnavailable
from tcworker.retry import Backoff
from tcworker.state import RunRecord
from tcworker.task.allowance import Allowance
from tcworker.task.facilities import Facilities
from tcworker.task.left_log import publish_left_log
from tcworker.task.outcome import full_disk
from tcworker.task.resolution import WORKER_SHUTDOWN, Resolution
from tcworker.task.settlement import Settlement
from tcworker.waiting import Loose, OneShot, pause

PATIENCE = 20.0
"""Seconds for which the first claim waits for these reports; an outage must not keep it for as long as claims last."""

CLOSE_SECONDS = 3.0
"""For what is still being done when the worker goes; the next start does the rest."""

AGAIN = Backoff(first=5.0, most=30.0)
"""For what an outage, a full disk or a clock that may be wrong is in the way of: credentials last for minutes only."""

_log = Logger()


class Recovery:
    """Settles what a dead worker left: its reports before the first claim, the rest beside it.

    And what runs of this worker's own left when they ended: they have no slot any more, and keep no worker from going.
    """

    def __init__(self, facilities: Facilities) -> None:
        self._facilities = facilities
        self._loose = Loose(_log)
        self._said_full = False

    async def settle(self, left: Sequence[RunRecord]) -> None:
        """Tell the queue how these runs ended, and forget them; returns when it knows, or cannot be told for now.

        What had been decided is reported as it was; any other run as worker-shutdown, so that the queue gives the task
        to another worker at once; after C{takenUntil} there is nothing to say. What cannot be told soon is tried on
        until the claim ends, by Taskcluster's clock; what is not told when this worker goes, at the next start. So is
        what has no room on the disk.
        """
        if not left:
            return
        all_told: OneShot[None] = OneShot()
        DeferredList([self._begin(record) for record in left]).addCallback(lambda _: all_told.succeed(None))
        with suppress(TimeoutError):
            await all_told.wait().addTimeout(PATIENCE, self._facilities.clock)

    def publish_later(self, record: RunRecord) -> None:
        """Publish what of a run's log and verdict is not where it belongs, for as long as the queue takes it.

        @param record: of a run that is over, and reported.
        """
        self._begin(record)

    def close(self) -> Deferred[None]:
        """End what is still being done; to be called before what it uses is closed."""
        return Deferred.fromCoroutine(self._loose.end(self._facilities.clock, CLOSE_SECONDS))

    def _begin(self, record: RunRecord) -> Deferred[None]:
        told: OneShot[None] = OneShot()
        settling = Deferred.fromCoroutine(self._settle(record, told))
        # One that fails stays in the state store, and keeps no other from being settled nor the worker from its work.
        self._loose.run(settling.addBoth(_pass_on, told), f"settling {record.name}")
        return told.wait()

    async def _settle(self, record: RunRecord, told: OneShot[None]) -> None:
        settlement = Settlement.of_left_run(record, self._facilities, lambda: math.inf)
        decided = None if record.reported else await self._tell(record, settlement, told)
        told.succeed(None)
        # Of a completed or failed one the log was published before, and the queue takes nothing any more if it knows.
        is_told = (record.reported or settlement.is_told) and decided is None
        if record.resolution is None or record.resolution.state == "exception" or not is_told:
            await self._until_time_is_known(record)
            await self._when_there_is_room(lambda: publish_left_log(record, self._facilities, decided))
        await self._when_there_is_room(settlement.forget)

    async def _tell(self, record: RunRecord, settlement: Settlement, told: OneShot[None]) -> Resolution | None:
        """Tell the queue how a run ended; gives as which exception it had, if the queue knew that better."""
        resolution, delays = record.resolution or WORKER_SHUTDOWN, AGAIN.delays()
        while not await settlement.tell(resolution):
            # Over by this machine's clock, which the queue has not confirmed yet. The first claim does not wait for it.
            told.succeed(None)
            await pause(self._facilities.clock, next(delays))
        decided = _otherwise(settlement.ended, resolution)
        if decided is not None:
            _log.warn("left by the worker before, the queue has ended it as {how}", how=str(decided), run=record.name)
        elif settlement.is_told:
            _log.warn("left by the worker before, reported as {how}", how=str(resolution), run=record.name)
        try:
            if decided is not None:
                await settlement.decided(decided)
            await settlement.told()
        except Exception as error:
            # Whoever tells it once more does no harm; of the log there is only this chance.
            if not self._is_full(error):
                _log.failure("that a run is reported cannot be remembered", run=record.name)
        return decided

    async def _until_time_is_known(self, record: RunRecord) -> None:
        """Believe no clock that may be wrong when it says that a log comes too late."""
        time, delays = self._facilities.time, AGAIN.delays()
        allowance = Allowance(time, record.taken_until)
        while not time.known and allowance.credentials_left() <= 0:
            await pause(self._facilities.clock, next(delays))

    async def _when_there_is_room(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do something, again and again as long as a disk is too full for it."""
        for delay in AGAIN.delays():
            try:
                return await step()
            except Exception as error:
                if not self._is_full(error):
                    raise
            await pause(self._facilities.clock, delay)

    def _is_full(self, error: Exception) -> bool:
        """Whether there is no room on a disk, which is said once."""
        full = _says_full(error)
        if full and not self._said_full:
            self._said_full = True
            _log.warn("a disk is full: what a dead worker left cannot be settled yet: {error}", error=str(error))
        return full


def _says_full(error: Exception) -> bool:
    no_disk = isinstance(error, ResourceUnavailable) and error.cause == Cause.NO_DISK
    return no_disk or full_disk(error) is not None


def _otherwise(ended: Resolution | None, reported: Resolution) -> Resolution | None:
    """How a run ended, if that is an exception, of which there must be a verdict, and another than was reported."""
    return ended if ended is not None and ended.state == "exception" and ended != reported else None


def _pass_on(result: object, told: OneShot[None]) -> object:
    told.succeed(None)
    return result
