"""Tells the queue how a run ended, for as long as that can matter (contracts of the queue, 1.7)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from tcworker.errors import CallFailed, TaskclusterError
from tcworker.interfaces import JSON, QueueCalls
from tcworker.retry import Backoff
from tcworker.task.claim import Claim
from tcworker.task.refusal import how_it_ended
from tcworker.task.resolution import COMPLETED, FAILED, Resolution
from tcworker.waiting import pause
from tcworker.worker_log import RunLogger

CONFLICT = "RequestConflict"
"""What the queue answers when somebody was faster: it was cancelled, for example, or its claim ran out."""

SETTLED = frozenset({CONFLICT, "ResourceNotFound"})
"""What it answers when there is nothing more to be said, also because the task is gone."""

RETRIES = Backoff(first=1.0, most=30.0)

LAST_TRY = 1.0
"""Seconds before the end of the time, for the last attempt."""


class Reporter:
    """Reports one run.

    @ivar ended: how the queue says that the run ended, if it did not take the report.
    @param time_left: seconds until the claim ends or the worker must be gone; asked again before each attempt.
    """

    ended: Resolution | None = None

    def __init__(self, claim: Claim, queue: QueueCalls, clock: IReactorTime, time_left: Callable[[], float]) -> None:
        self._claim = claim
        self._queue = queue
        self._clock = clock
        self._time_left = time_left
        self._log = RunLogger(claim.name)

    async def report(self, resolution: Resolution) -> bool:
        """Tell the queue; answer whether the matter is settled, by us or by somebody before us.

        Not settled is a run whose claim, or whose worker's time, ran out while Taskcluster was away.
        """
        for delay in RETRIES.delays():
            try:
                await self._call(resolution)
            except TaskclusterError as error:
                if isinstance(error, CallFailed) and error.code in SETTLED:
                    self._log.warn("the queue does not take the report: {error}", error=error)
                    if error.code == CONFLICT:
                        self.ended = await how_it_ended(self._claim, self._queue, self._clock)
                    return True
                # Another refusal too: clocks and credentials are mended, and what answered may not be the queue.
                self._log.error("reporting failed, trying again: {error}", error=error)
            else:
                return True
            left = self._time_left() - LAST_TRY
            if left <= 0:
                return False
            await pause(self._clock, min(delay, left))
        return False

    def _call(self, resolution: Resolution) -> Deferred[JSON]:
        run = (self._claim.task_id, self._claim.run_id)
        if resolution == COMPLETED:
            return self._queue.report_completed(*run)
        if resolution == FAILED:
            return self._queue.report_failed(*run)
        return self._queue.report_exception(*run, {"reason": resolution.reason})
