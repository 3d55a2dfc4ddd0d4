"""What a worker does at its start about the runs of one that died in the same state directory."""

from __future__ import annotations

import shutil

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tcworker.state import RunRecord
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.reporter import Reporter
from tcworker.task.resolution import WORKER_SHUTDOWN
from tcworker.waiting import Loose, seconds_until

PATIENCE = 20.0
"""A pause between two tries that would be longer ends the trying, until the next start."""

_log = Logger()


def settle(left: list[RunRecord], facilities: Facilities) -> Deferred[None]:
    """Tell the queue how these runs ended, and forget them; fires when that is done, or cannot be for now.

    What had been decided is reported as it was; any other run as worker-shutdown, so that the queue gives the task to
    another worker at once; after C{takenUntil} there is nothing to say.
    """
    loose = Loose(_log)
    for record in left:
        loose.run(_settle(record, facilities), f"settling {record.task_id}/{record.run_id}")
    # One that fails stays in the state store, and keeps no other from being settled nor the worker from its work.
    return loose.wait()


async def _settle(record: RunRecord, facilities: Facilities) -> None:
    claim = Claim(record.task_id, record.run_id, {}, record.taken_until, record.credentials)
    if record.reported or await _told(claim, record, facilities):
        await facilities.threads.run(shutil.rmtree, facilities.folder_of(claim), True)
        await facilities.state.done(record.task_id, record.run_id)


async def _told(claim: Claim, record: RunRecord, facilities: Facilities) -> bool:
    """Report a run; whether nothing more is to be said of it."""

    def left() -> float:
        return seconds_until(facilities.clock, record.taken_until)

    if left() <= 0:
        return True
    resolution = record.resolution or WORKER_SHUTDOWN
    _log.warn("left by a worker that died, reported as {how}", how=str(resolution), run=claim.name)
    queue = facilities.new_queue(lambda: record.credentials)
    # The next claim waits for this: an outage must not keep it for as long as a claim lasts.
    return await Reporter(claim, queue, facilities.clock, lambda: min(left(), PATIENCE)).report(resolution)
