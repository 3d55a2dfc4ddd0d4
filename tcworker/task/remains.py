"""What the worker has of a run that is over: a folder, and a place in the state store."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.reporter import LAST_TRY
from tcworker.task.resolution import Resolution
from tcworker.worker_log import RunLogger


@dataclass(frozen=True)
class Remains:
    """Of one run, and why some of it may have to stay for the next start.

    @ivar resolution: how it ended; C{None} if nobody came to say so.
    @ivar report_owed: whether the queue is still to be told.
    @ivar log_owed: whether its log is not where it belongs, and may be if it is tried again.
    @ivar credentials_left: seconds for which that can be tried.
    """

    claim: Claim
    facilities: Facilities
    resolution: Resolution | None
    report_owed: bool
    log_owed: bool
    credentials_left: float

    async def forget(self) -> None:
        """Remove what nobody needs any more."""
        state, run = self.facilities.state, (self.claim.task_id, self.claim.run_id)
        # Of another run the queue takes no log any more (contracts of the queue, 1.9).
        if self.resolution is not None and self.resolution.state == "exception" and self._log_may_come:
            if not self.report_owed:
                # Whatever the next start finds, it has nothing to tell the queue then.
                await state.decided(*run, self.resolution)
                await state.reported(*run)
            return
        await self._remove_folder()
        if not self.report_owed:
            await state.done(*run)

    @property
    def _log_may_come(self) -> bool:
        return self.log_owed and self.credentials_left > LAST_TRY

    async def _remove_folder(self) -> None:
        try:
            await self.facilities.threads.run(shutil.rmtree, self.facilities.folder_of(self.claim))
        except OSError:
            RunLogger(self.claim.name).failure("removing the run's folder failed")
