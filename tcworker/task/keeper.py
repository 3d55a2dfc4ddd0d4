"""Keeps the claim of one run: reclaims it in time, and notices when it is gone (contracts of the queue, 1.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from tcworker.client.answers import Renewal, read_renewal, reading
from tcworker.client.server_time import ServerTime
from tcworker.errors import CallFailed, TaskclusterError
from tcworker.interfaces import Credentials, QueueCalls
from tcworker.retry import Backoff
from tcworker.task.claim import Claim
from tcworker.task.refusal import ANSWER_SECONDS, how_it_ended, in_time
from tcworker.task.resolution import CLAIM_LOST, DEADLINE_EXCEEDED, Resolution
from tcworker.waiting import pause
from tcworker.worker_log import RunLogger

MARGIN = 180.0
"""Seconds before C{takenUntil} at which a claim is renewed, when it is long enough."""

LEAST = 0.5
"""Seconds between two renewals of a claim that seems to be over as soon as it is made."""

# Without jitter: each claim was made at its own time, so that they do not come back all at once.
RETRIES = Backoff(first=1.0, most=30.0, jitter=0.0)


class ClaimKeeper:
    """Holds one claim until it is stopped, and says when it ends by itself.

    @param time: of the server, by which claim and deadline end.
    @param renewed: given the new credentials and the new C{takenUntil} after each reclaim, before their first use.
    @param ended: called once, when the run was taken away: with L{CANCELED}, L{DEADLINE_EXCEEDED} or L{CLAIM_LOST}, or
        with what else the queue says that somebody reported.
    """

    def __init__(
        self,
        claim: Claim,
        queue: QueueCalls,
        clock: IReactorTime,
        time: ServerTime,
        *,
        renewed: Callable[[Credentials, datetime], Deferred[None]],
        ended: Callable[[Resolution], None],
    ) -> None:
        self._claim = claim
        self._queue = queue
        self._clock = clock
        self._time = time
        self._renewed = renewed
        self._ended = ended
        self._log = RunLogger(claim.name)
        self._keeping: Deferred[Resolution] | None = None
        self._deadline: IDelayedCall | None = None
        self.taken_until = claim.taken_until

    def start(self) -> None:
        """Begin; the timers end with L{stop} or with the claim."""
        self._begin(at_once=False)

    def stop(self) -> None:
        """Let the claim run out, without a word; repeatable."""
        if self._keeping is None:
            return
        keeping, self._keeping = self._keeping, None
        keeping.cancel()
        self._forget_deadline()

    def look_again(self) -> None:
        """The machine slept, or its clock was set, so timers are wrong: see at once whether the claim is still there.

        A call under way is made anew, for its connection may be dead.
        """
        if self._keeping is not None:
            self.stop()
            self._begin(at_once=True)

    def _begin(self, at_once: bool) -> None:
        self._keeping = keeping = Deferred.fromCoroutine(self._keep(at_once))
        # One that was stopped says nothing, even if it ends only when another has been begun in its place.
        keeping.addErrback(self._broken).addCallback(lambda gone: self._end(gone) if self._keeping is keeping else None)
        # It may have ended on the spot.
        if self._keeping is not None:
            self._watch_deadline()

    async def _keep(self, at_once: bool) -> Resolution:
        if not at_once:
            await pause(self._clock, self._until_renewal())
        while (gone := await self._reclaim()) is None:
            self._watch_deadline()
            await pause(self._clock, self._until_renewal())
        return gone

    def _until_renewal(self) -> float:
        left = self._time.left(self.taken_until)
        return max(LEAST, left - MARGIN if left >= 2 * MARGIN else left / 2)

    async def _reclaim(self) -> Resolution | None:
        """Reclaim until it works or the claim is over; answer how the run ended when it did.

        Asked once at least, whatever the clocks say: the queue knows best.
        """
        for delay in RETRIES.delays():
            try:
                renewal = await self._call()
            except TaskclusterError as error:
                if _is_conflict(error) and (gone := await self._how_it_ended()) is not None:
                    return gone
                # Another refusal too: a claim is worth more than to be given up for a fault that may be mended.
                self._log.warn("reclaiming failed, trying again: {error}", error=error)
            else:
                self.taken_until = renewal.taken_until
                await self._renewed(renewal.credentials, renewal.taken_until)
                return None
            await pause(self._clock, min(delay, max(0.0, self._until_over())))
            if self._until_over() <= 0:
                break
        return CLAIM_LOST

    def _until_over(self) -> float:
        return self._time.until_past(self.taken_until)

    async def _call(self) -> Renewal:
        """Reclaim; a call that takes longer than the claim lasts is none."""
        answer = self._queue.reclaim_task(self._claim.task_id, self._claim.run_id)
        # Asked of a claim that is over, too.
        seconds = left if (left := self._until_over()) > 0 else ANSWER_SECONDS
        return reading("reclaimTask", read_renewal, await in_time("reclaimTask", answer, seconds, self._clock))

    async def _how_it_ended(self) -> Resolution | None:
        resolution = await how_it_ended(self._claim, self._queue, self._clock)
        if resolution is None and self._time.left(self._claim.deadline) <= 0:
            # The queue does not prolong a claim past the deadline, but takes its time to resolve the task.
            return DEADLINE_EXCEEDED
        return resolution

    def _watch_deadline(self) -> None:
        """Set the timer of the deadline, by what is known of the server's clock now."""
        self._forget_deadline()
        self._deadline = self._clock.callLater(max(0.0, self._until_deadline()), self._see_whether_dead)

    def _see_whether_dead(self) -> None:
        # A clock that is set makes timers come early.
        if self._until_deadline() > 0:
            self._watch_deadline()
        else:
            self._end(DEADLINE_EXCEEDED)

    def _until_deadline(self) -> float:
        return self._time.until_past(self._claim.deadline)

    def _forget_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def _end(self, resolution: Resolution) -> None:
        if self._keeping is not None:
            self.stop()
            self._ended(resolution)

    def _broken(self, failure: Failure) -> Resolution:
        if not failure.check(CancelledError):
            self._log.failure("keeping the claim failed", failure=failure)
        return CLAIM_LOST


def _is_conflict(error: TaskclusterError) -> bool:
    return isinstance(error, CallFailed) and error.code == "RequestConflict"
