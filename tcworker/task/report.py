"""What the queue is told of one run: once, remembered until it is delivered."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tcworker.state import RunRecord, RunStore
from tcworker.task.claim import Claim
from tcworker.task.reporter import Reporter
from tcworker.task.resolution import Resolution
from tcworker.waiting import Loose, OneShot


def record_of(claim: Claim) -> RunRecord:
    """What is remembered of a claim that has just been made."""
    return RunRecord(
        task_id=claim.task_id,
        run_id=claim.run_id,
        taken_until=claim.taken_until,
        credentials=claim.credentials,
    )


class Report:
    """The report of one run.

    @ivar owed: whether the queue is still to be told, from the moment when that begins: what cuts it short leaves it
        to the state store, and so to the next start.
    """

    def __init__(self, claim: Claim, reporter: Reporter, state: RunStore, loose: Loose) -> None:
        self._claim = claim
        self._reporter = reporter
        self._state = state
        self._loose = loose
        self._telling: Deferred[None] | None = None
        self._begun: OneShot[None] = OneShot()
        self._told: OneShot[None] = OneShot()
        self.owed = False

    @property
    def begun(self) -> bool:
        """Whether the queue has been told, or is being told."""
        return self._telling is not None

    @property
    def ended(self) -> Resolution | None:
        """How the queue says that the run ended, if it did not take the report."""
        return self._reporter.ended

    def tell(self, resolution: Resolution) -> Deferred[None]:
        """Tell the queue, unless that has begun; fires when it knows, or cannot be told."""
        if self._telling is None:
            self._telling = Deferred.fromCoroutine(self._tell(resolution))
            self._loose.run(self._telling, "reporting")
            self._begun.succeed(None)
        return self.when_told()

    def when_begun(self) -> Deferred[None]:
        """Fire when the queue is being told."""
        return self._begun.wait()

    def when_told(self) -> Deferred[None]:
        """Fire when the queue knows, or cannot be told."""
        return self._told.wait()

    async def _tell(self, resolution: Resolution) -> None:
        # Written while the queue is told: whoever dies in between tells it once more, which the queue takes.
        decided = self._state.decided(self._claim.task_id, self._claim.run_id, resolution)
        self._loose.run(decided, "recording the outcome")
        self.owed = True
        try:
            self.owed = not await self._reporter.report(resolution)
        finally:
            self._told.succeed(None)

    def note(self) -> None:
        """Remember that the queue knows, for as long as uploads go on."""
        noted = self._state.reported(self._claim.task_id, self._claim.run_id)
        self._loose.run(noted, "recording the report")

    def drop(self) -> None:
        """Tell the queue nothing any more: it decided itself."""
        self.owed = False
        if self._telling is not None:
            self._telling.cancel()
