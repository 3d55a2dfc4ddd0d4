"""What a worker does at its start about the runs of one that died in the same state directory (design: on disk)."""

from __future__ import annotations

import shutil
from datetime import timedelta

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from tcworker.state import RunRecord
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.reporter import Reporter
from tcworker.task.resolution import WORKER_SHUTDOWN
from tcworker.waiting import now

_log = Logger()


def settle(left: list[RunRecord], facilities: Facilities) -> Deferred[None]:
    """Tell the queue how these runs ended, and forget them.

    What had been decided is reported as it was; any other run as worker-shutdown, so that the queue gives the task to
    another worker at once; after C{takenUntil} there is nothing to say.
    """
    settled = [Deferred.fromCoroutine(_settle(record, facilities)) for record in left]
    return gatherResults(settled, consumeErrors=True).addCallback(lambda _: None)


async def _settle(record: RunRecord, facilities: Facilities) -> None:
    claim = Claim(record.task_id, record.run_id, {}, record.taken_until, record.credentials)
    if not record.reported:
        await _report(claim, record, facilities)
    await facilities.threads.run(shutil.rmtree, facilities.folder_of(claim), True)
    await facilities.state.done(record.task_id, record.run_id)


async def _report(claim: Claim, record: RunRecord, facilities: Facilities) -> None:
    def left() -> float:
        return (record.taken_until - now(facilities.clock)) / timedelta(seconds=1)

    resolution = record.resolution or WORKER_SHUTDOWN
    if left() > 0:
        _log.warn("left by a worker that died, reported as {how}", how=str(resolution), run=claim.name)
        queue = facilities.new_queue(lambda: record.credentials)
        await Reporter(claim, queue, facilities.clock, left).report(resolution)
