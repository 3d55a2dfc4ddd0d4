"""What the worker has of a run that is over: a folder, and a place in the state store."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from tcworker.state import RunRecord
from tcworker.task.facilities import Facilities
from tcworker.task.reporter import LAST_TRY
from tcworker.worker_log import RunLogger


@dataclass(frozen=True)
class Remains:
    """Of one run, and why some of it may have to stay.

    @ivar record: what is known of the run; one that is not reported is still owed to the queue.
    @ivar unpublished: whether its log or its verdict is not where it belongs, and may be if it is tried again.
    @ivar credentials_left: seconds for which that can be tried.
    @ivar going: whether the worker must be gone soon.
    """

    record: RunRecord
    facilities: Facilities
    unpublished: bool
    credentials_left: float
    going: bool

    async def forget(self) -> None:
        """Remove what nobody needs any more, and leave the rest to who publishes it later, or to the next start."""
        if not self.record.reported:
            # Told too late, the queue has given the run away: then there is a verdict to be published.
            return
        if self._is_wanted:
            await self._leave()
            return
        await self._remove_folder()
        await self.facilities.state.done(self.record.task_id, self.record.run_id)

    @property
    def _is_wanted(self) -> bool:
        # Of a run that is no exception the queue takes nothing any more (contracts of the queue, 1.9).
        resolution = self.record.resolution
        exception = resolution is not None and resolution.state == "exception"
        return exception and self.unpublished and self.credentials_left > LAST_TRY

    async def _leave(self) -> None:
        state, record = self.facilities.state, self.record
        assert record.resolution is not None
        # Whatever the next start finds, it has nothing to tell the queue then.
        await state.decided(record.task_id, record.run_id, record.resolution)
        await state.reported(record.task_id, record.run_id)
        if not self.going:
            self.facilities.publish_later(record)

    async def _remove_folder(self) -> None:
        try:
            await self.facilities.threads.run(shutil.rmtree, self.facilities.folder_of(self.record.claim()))
        except OSError:
            RunLogger(self.record.name).failure("removing the run's folder failed")
