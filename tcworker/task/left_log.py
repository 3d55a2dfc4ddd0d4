"""The log of a run whose worker died: what is on the disk becomes the log that the run would have had."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tcworker.errors import Cause
from tcworker.state import RunRecord
from tcworker.task.allowance import of_left_run
from tcworker.task.claim import write_date
from tcworker.task.facilities import Facilities
from tcworker.task.left_verdict import guess, is_too_late, publish_verdict_alone
from tcworker.task.log_publication import LogPublication
from tcworker.task.log_raw import NAME
from tcworker.task.log_record import LogRecord, RecordUnreadable
from tcworker.task.resolution import CLAIM_LOST, Resolution
from tcworker.task.verdict import Verdict
from tcworker.task.verdict_file import VerdictFile
from tcworker.worker_log import RunLogger

_KEPT = (
    "its log is not published, for what is to be masked in it cannot be known ({error}); it is kept in {kept}: "
    "look at it there, and remove it by hand"
)


def publish_left_log(record: RunRecord, facilities: Facilities, decided: Resolution | None = None) -> Deferred[None]:
    """Publish the log that a dead worker left of a run, under the names and masked as that one would have.

    Its last line, and the verdict beside it, say that the worker died, or had to go and did not come to publish it.

    What leads there and the verdict are published even if the log was, and a verdict only if none was.

    Fires when it is published, or cannot be, which is logged; at once if there is none.
    One of which nobody knows what is to be masked in it is kept (L{Facilities.folder_of_kept_logs}), and only the
    verdict is published; fails with
    C{OSError} if that cannot be done, and with that or a L{ResourceUnavailable} if the disk has no room for the work.
    The queue must have been told how the run ended (contracts of the queue, 1.9), and nothing may be writing the log.
    Cancelling it leaves the log where it is.

    @param decided: how the queue says that the run ended, if it did not take what is on record.
    """
    too_late = is_too_late(record, facilities) if decided is None else decided == CLAIM_LOST
    if decided is not None and not too_late:
        record = replace(record, resolution=decided)
    return Deferred.fromCoroutine(_publish(record, facilities, too_late))


async def _publish(record: RunRecord, facilities: Facilities, too_late: bool) -> None:
    log, folder = RunLogger(record.name), facilities.folder_of(record.claim())
    try:
        left = await facilities.threads.run(_read, folder)
        if left is not None:
            await _LeftLog(record, left, folder, facilities, log, too_late).publish()
    except RecordUnreadable as error:
        # First: it is found again, should this worker die meanwhile.
        await publish_verdict_alone(record, facilities, too_late=too_late)
        kept = os.path.join(facilities.folder_of_kept_logs, os.path.basename(folder))
        await facilities.threads.run(_keep, folder, kept)
        log.error(_KEPT, error=str(error), kept=kept)
    except _TooLate as error:
        log.error("its log is not published: {error}", error=str(error))


def _read(folder: str) -> LogRecord | None:
    """What is to be known of the log, C{None} if there is none."""
    return LogRecord.read(folder) if os.path.exists(os.path.join(folder, NAME)) else None


def _keep(folder: str, kept: str) -> None:
    os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
    os.rename(folder, kept)


class _TooLate(Exception):
    """Nobody takes the log any more."""


class _LeftLog:
    def __init__(
        self,
        record: RunRecord,
        left: LogRecord,
        folder: str,
        facilities: Facilities,
        logger: RunLogger,
        too_late: bool,
    ) -> None:
        self._logger = logger
        dates = dict.fromkeys(("deadline", "expires"), write_date(left.expires))
        claim = record.claim({**dates, "payload": {}})
        allowance = of_left_run(facilities.time, record.taken_until)
        if allowance.left() <= 0:
            raise _TooLate("it is too late, for the run's credentials are over")
        self._left = left
        self._no_disk: Failure | None = None
        # An object that was declared cannot be declared again: then that place is the only one for the log.
        self._replaces_checkpoint = left.has_checkpoint or facilities.config.create_object_artifacts
        self._log = facilities.left_log(claim, left, folder)
        haste = facilities.new_haste(allowance.left)
        context = facilities.new_context(claim, folder, self._log, lambda _: None, haste)
        self._publication = LogPublication(context, self._log, self._failed)
        self._verdict, self._decided = _verdict_of(record, left, too_late)
        # Nobody waits for it any more.
        self._verdict_file = VerdictFile(context, facilities.config, self._log, allowance.left)

    async def publish(self) -> None:
        try:
            self._publication.name_log(self._left.names)
            if self._left.is_published:
                self._publication.leave_backing()
            if self._replaces_checkpoint:
                self._publication.replace_checkpoint()
            self._publication.explain(self._verdict.why)
            self._verdict_file.put_beside(self._left.names)
            # Who knew more of the run than there is here has published a better one.
            if not self._left.has_verdict:
                self._verdict_file.explain(self._verdict, self._decided)
            await self._verdict_file.publish_beside(self._publication.publish())
        finally:
            await self._publication.close()
            await self._log.dispose()
        if self._no_disk is not None:
            self._no_disk.raiseException()

    def _failed(self, failure: Failure) -> None:
        if failure.check(OSError) or getattr(failure.value, "cause", None) == Cause.NO_DISK:
            self._no_disk = failure
            return
        self._logger.error("its log cannot be published: {error}", error=failure.getErrorMessage())


def _verdict_of(record: RunRecord, left: LogRecord, too_late: bool) -> tuple[Verdict, datetime | None]:
    """Why the run ended, and when that was decided, if it was."""
    if left.verdict is not None and _still_holds(left.verdict[0], record, too_late):
        return left.verdict
    return guess(record, left.seconds_left, too_late=too_late), None


def _still_holds(verdict: Verdict, record: RunRecord, too_late: bool) -> bool:
    # Of a worker that had to go there is more to say by now: it did not come to publish the log.
    going = verdict.cause == Cause.WORKER_SHUTDOWN
    return verdict.resolution == record.resolution and not (too_late or going)
