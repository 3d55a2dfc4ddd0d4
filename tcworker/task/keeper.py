"""Keeps the claim of one run: reclaims it in time, and notices when it is gone (contracts of the queue, 1.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from tcworker.errors import CallFailed, TaskclusterError, Unreachable
from tcworker.interfaces import JSON, Credentials, QueueCalls
from tcworker.retry import Backoff
from tcworker.task.claim import Claim, read_date
from tcworker.task.resolution import CANCELED, CLAIM_LOST, DEADLINE_EXCEEDED, Resolution
from tcworker.waiting import pause, seconds_until
from tcworker.worker_log import RunLogger

MARGIN = 180.0
"""Seconds before C{takenUntil} at which a claim is renewed, when it is long enough."""

# Without jitter: each claim was made at its own time, so that they do not come back all at once.
RETRIES = Backoff(first=1.0, most=30.0, jitter=0.0)


class ClaimKeeper:
    """Holds one claim until it is stopped, and says when it ends by itself.

    @param renewed: given the new credentials and the new C{takenUntil} after each reclaim, before their first use.
    @param ended: called once, with L{CANCELED}, L{DEADLINE_EXCEEDED} or L{CLAIM_LOST}, when the run was taken away.
    """

    def __init__(
        self,
        claim: Claim,
        queue: QueueCalls,
        clock: IReactorTime,
        *,
        renewed: Callable[[Credentials, datetime], Deferred[None]],
        ended: Callable[[Resolution], None],
    ) -> None:
        self._claim = claim
        self._queue = queue
        self._clock = clock
        self._renewed = renewed
        self._ended = ended
        self._log = RunLogger(claim.name)
        self._keeping: Deferred[Resolution] | None = None
        self.taken_until = claim.taken_until

    def start(self) -> None:
        """Begin; the timers end with L{stop} or with the claim."""
        self._keeping = Deferred.fromCoroutine(self._keep())
        self._keeping.addErrback(self._broken).addCallback(self._end)
        self._deadline = self._clock.callLater(max(0.0, self._left(self._claim.deadline)), self._end, DEADLINE_EXCEEDED)

    def stop(self) -> None:
        """Let the claim run out, without a word; repeatable."""
        if self._keeping is None:
            return
        keeping, self._keeping = self._keeping, None
        keeping.cancel()
        if self._deadline.active():
            self._deadline.cancel()

    def _left(self, moment: datetime) -> float:
        return seconds_until(self._clock, moment)

    async def _keep(self) -> Resolution:
        while (left := self._left(self.taken_until)) > 0:
            await pause(self._clock, left - MARGIN if left >= 2 * MARGIN else left / 2)
            if (gone := await self._reclaim()) is not None:
                return gone
        return CLAIM_LOST

    async def _reclaim(self) -> Resolution | None:
        """Reclaim until it works or the claim is over; answer how the run ended when it did."""
        delays = RETRIES.delays()
        while self._left(self.taken_until) > 0:
            try:
                answer = await self._call()
            except TaskclusterError as error:
                if isinstance(error, CallFailed) and error.status == 409:
                    return await self._how_it_ended()
                # Another refusal too: a claim is worth more than to be given up for a fault that may be mended.
                self._log.warn("reclaiming failed, trying again: {error}", error=error)
            else:
                self.taken_until = read_date(answer["takenUntil"])
                await self._renewed(Credentials.from_json(answer["credentials"]), self.taken_until)
                return None
            await pause(self._clock, min(next(delays), max(0.0, self._left(self.taken_until))))
        return CLAIM_LOST

    def _call(self) -> Deferred[JSON]:
        """Reclaim; a call that takes longer than the claim lasts is none."""
        answer = self._queue.reclaim_task(self._claim.task_id, self._claim.run_id)
        left = max(0.0, self._left(self.taken_until))
        return answer.addTimeout(left, self._clock, _too_late)

    async def _how_it_ended(self) -> Resolution:
        """A 409 says that the run is over, its status why. Whoever cannot tell publishes what there is: canceled."""
        try:
            answer = await self._queue.status(self._claim.task_id)
        except TaskclusterError as error:
            self._log.warn("the run is over, the queue does not say why: {error}", error=error)
            return CANCELED
        reason = answer["status"]["runs"][self._claim.run_id].get("reasonResolved")
        known = (CANCELED, DEADLINE_EXCEEDED)
        return next((resolution for resolution in known if resolution.reason == reason), CLAIM_LOST)

    def _end(self, resolution: Resolution) -> None:
        if self._keeping is not None:
            self.stop()
            self._ended(resolution)

    def _broken(self, failure: Failure) -> Resolution:
        if not failure.check(CancelledError):
            self._log.failure("keeping the claim failed", failure=failure)
        return CLAIM_LOST


def _too_late(result: object, seconds: float) -> None:
    raise Unreachable("reclaimTask", f"no answer in {seconds:.0f} s, when the claim ended")
