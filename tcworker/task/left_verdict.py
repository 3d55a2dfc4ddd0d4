"""The verdict of a run whose worker died, as far as the next one can give it."""

from __future__ import annotations

import shutil
import tempfile

from tcworker.errors import MalformedPayload, TaskclusterError, TaskError
from tcworker.state import RunRecord
from tcworker.task.allowance import Allowance, of_left_run
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.log_names import LogNames
from tcworker.task.resolution import CLAIM_LOST, COMPLETED, FAILED, WORKER_SHUTDOWN
from tcworker.task.verdict import BY_QUEUE, Verdict, by_death, by_leaving, by_resolution, by_silence
from tcworker.task.verdict_file import VerdictFile
from tcworker.worker_log import RunLogger


def is_too_late(record: RunRecord, facilities: Facilities) -> bool:
    """Whether the queue gave a run away, by the clock, before anybody told it how that ended."""
    return Allowance(facilities.time, record.taken_until).left() <= 0 and not record.reported


def guess(record: RunRecord, seconds_left: float | None, *, too_late: bool) -> Verdict:
    """Say why a run ended whose worker left no word of that.

    @param seconds_left: in which that had to be gone; C{None} if it was not told to go, or nobody knows.
    @param too_late: whether the queue gave the run away before anybody told it how that ended.
    """
    resolution = CLAIM_LOST if too_late else record.resolution or WORKER_SHUTDOWN
    if too_late and record.resolution in (COMPLETED, FAILED):
        return by_silence(record.resolution)
    if record.resolution in BY_QUEUE or resolution not in (CLAIM_LOST, WORKER_SHUTDOWN):
        return by_resolution(resolution)
    if seconds_left is not None:
        return by_leaving(seconds_left, resolution)
    # As worker-shutdown a death is reported, too, and who did that may have died since.
    return by_death(record.sandbox is not None, resolution)


async def publish_verdict_alone(record: RunRecord, facilities: Facilities, *, too_late: bool) -> None:
    """Publish a verdict of a run of whose log nothing is known; returns when it is published, or cannot be.

    @param too_late: as L{guess} has it.

    Where it belongs the task's definition says, which the queue still has. Raises L{ResourceUnavailable} or C{OSError}
    if the disk has no room for the work.
    """
    allowance = of_left_run(facilities.time, record.taken_until)
    if allowance.left() <= 0:
        return
    queue = facilities.new_queue(lambda: record.credentials)
    try:
        claim = record.claim(await queue.task(record.task_id))
        await _publish(claim, guess(record, None, too_late=too_late), allowance, facilities)
    except (TaskclusterError, ValueError, LookupError, TypeError) as error:
        RunLogger(record.name).warn("it has no verdict either, for its definition cannot be read: {error}", error=error)


async def _publish(claim: Claim, verdict: Verdict, allowance: Allowance, facilities: Facilities) -> None:
    # In the run's own, whose log stays as it is.
    folder = tempfile.mkdtemp(dir=facilities.folder_of(claim))
    # What is masked in all logs of this worker is masked in it; of the run's own secrets a guess has none.
    log = facilities.new_log(claim, folder, _ignore)
    try:
        context = facilities.new_context(claim, folder, log, _ignore, facilities.new_haste(allowance.left))
        file = VerdictFile(context, facilities.config, log, allowance.left)
        file.put_beside(_names(claim))
        file.explain(verdict)
        await file.publish()
    finally:
        await log.dispose()
        await facilities.threads.run(shutil.rmtree, folder, True)


def _names(claim: Claim) -> LogNames:
    """Of its logs; the usual ones for one that was refused."""
    try:
        return LogNames.from_payload(claim.task["payload"])
    except (MalformedPayload, LookupError, TypeError, AttributeError):
        return LogNames()


def _ignore(error: TaskError) -> None:
    """Of a run that is over nothing is to be ended."""
