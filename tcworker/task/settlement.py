"""Runs that nobody runs here: the queue is told how they end, then they are forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.state import RunRecord
from tcworker.task.allowance import Allowance
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.haste import silence_of
from tcworker.task.report import Report, record_of
from tcworker.task.reporter import LAST_TRY, Reporter
from tcworker.task.resolution import Resolution
from tcworker.waiting import Loose

_log = Logger()


class Settlement:
    """Settles with the queue about one run, within its claim.

    @ivar is_told: whether the queue knows how the run ended, by us or by somebody before us.
    @ivar ended: how it says that the run ended, if it did not take what it was told.
    @param worker_left: seconds until the worker must be gone.
    """

    is_told = False
    ended: Resolution | None = None

    def __init__(self, claim: Claim, facilities: Facilities, worker_left: Callable[[], float]) -> None:
        self._claim = claim
        self._facilities = facilities
        self._allowance = Allowance(facilities.time, claim.taken_until)
        self._worker_left = worker_left

    @classmethod
    def of_left_run(cls, record: RunRecord, facilities: Facilities, worker_left: Callable[[], float]) -> Settlement:
        """Of a run of which no more is known than what a dead worker remembered."""
        return cls(record.claim(), facilities, worker_left)

    @property
    def is_over(self) -> bool:
        """Whether nothing can be told within the claim: the queue then gives the task to another worker by itself."""
        # A clock that is wrong, and who starts after a crash has heard no other, may say so of a claim that lasts.
        return self._facilities.time.known and self._allowance.left() <= LAST_TRY

    async def give_back(self, resolution: Resolution) -> None:
        """Tell how a run ends that was claimed and is not begun. What cannot be told is left to the next start."""
        # Whoever dies now leaves a note for it. Without room for one the queue is told no less.
        await self._facilities.state.claimed(record_of(self._claim)).addErrback(self._not_remembered)
        if await self.tell(resolution):
            await self.forget()

    async def tell(self, resolution: Resolution) -> bool:
        """Tell the queue how the run ends; whether there is nothing more to be said of it."""
        if self.is_over:
            return True
        facilities, loose = self._facilities, Loose(_log)
        queue = facilities.new_queue(lambda: self._claim.credentials, lambda usual: silence_of(self._left(), usual))
        reporter = Reporter(self._claim, queue, facilities.clock, self._left)
        report = Report(self._claim, reporter, facilities.state, loose)
        try:
            await report.tell(resolution)
            await loose.wait()
        except BaseException:
            await loose.cancel()
            raise
        self.is_told, self.ended = not report.owed, report.ended
        return self.is_told or self.is_over

    def decided(self, resolution: Resolution) -> Deferred[None]:
        """Remember how the run ended, in place of what the queue did not take."""
        return self._facilities.state.decided(self._claim.task_id, self._claim.run_id, resolution)

    def told(self) -> Deferred[None]:
        """Remember that the queue knows, for as long as something else of the run is still to be done."""
        return self._facilities.state.reported(self._claim.task_id, self._claim.run_id)

    async def forget(self) -> None:
        """Remove what the worker has of the run. What a task left is its platform's matter."""
        folder = self._facilities.folder_of(self._claim)
        await self._facilities.threads.run(shutil.rmtree, folder, True)
        await self._facilities.state.done(self._claim.task_id, self._claim.run_id)

    def _left(self) -> float:
        return min(self._allowance.left(), self._worker_left())

    def _not_remembered(self, failure: Failure) -> None:
        _log.failure("a task that is given back cannot be remembered", failure=failure, run=self._claim.name)
