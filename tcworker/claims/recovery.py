"""What a worker does at its start about the runs of one that died in the same state directory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from tcworker.state import RunRecord
from tcworker.task.facilities import Facilities
from tcworker.task.left_log import publish_left_log
from tcworker.task.resolution import WORKER_SHUTDOWN
from tcworker.task.settlement import Settlement
from tcworker.waiting import Loose, OneShot

PATIENCE = 20.0
"""Seconds for which the first claim waits for these reports; an outage must not keep it for as long as claims last."""

CLOSE_SECONDS = 3.0
"""For what is still being done when the worker goes; the next start does the rest."""

_log = Logger()


class Recovery:
    """Settles what a dead worker left: its reports before the first claim, the rest beside it."""

    def __init__(self, facilities: Facilities) -> None:
        self._facilities = facilities
        self._loose = Loose(_log)

    async def settle(self, left: Sequence[RunRecord]) -> None:
        """Tell the queue how these runs ended, and forget them; returns when it knows, or cannot be told for now.

        What had been decided is reported as it was; any other run as worker-shutdown, so that the queue gives the task
        to another worker at once; after C{takenUntil} there is nothing to say. What cannot be told soon is tried on
        until the claim ends, and what is not told when this worker goes, at the next start.
        """
        if not left:
            return
        all_told: OneShot[None] = OneShot()
        DeferredList([self._begin(record) for record in left]).addCallback(lambda _: all_told.succeed(None))
        with suppress(TimeoutError):
            await all_told.wait().addTimeout(PATIENCE, self._facilities.clock)

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
        if not record.reported and not await self._tell(record, settlement):
            return
        told.succeed(None)
        # Of a completed or failed one the log was published before, and the queue would take none any more.
        if record.resolution is None or record.resolution.state == "exception":
            await publish_left_log(record, self._facilities)
        await settlement.forget()

    async def _tell(self, record: RunRecord, settlement: Settlement) -> bool:
        resolution = record.resolution or WORKER_SHUTDOWN
        if not settlement.is_over:
            _log.warn("left by the worker before, reported as {how}", how=str(resolution), run=record.name)
        if not await settlement.tell(resolution):
            return False
        await settlement.told()
        return True


def _pass_on(result: object, told: OneShot[None]) -> object:
    told.succeed(None)
    return result
