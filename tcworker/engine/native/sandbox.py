"""What one native run consists of: its place on the machine, a supervisor, and the log while that writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from tcworker.engine.native.disk_errors import NoRoom
from tcworker.engine.native.home import Home, remove_home
from tcworker.engine.native.loan import Loan
from tcworker.engine.native.means import Means
from tcworker.engine.native.placement import Placement
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.engine.native.task_user import TaskUser
from tcworker.errors import TaskFailed
from tcworker.interfaces import ICaches
from tcworker.task.with_room import with_room
from tcworker.waiting import OneShot, Threads, whatever_happens

_log = Logger()


@dataclass
class Sandbox:
    """Everything that must be freed after a run.

    @ivar user: whom its commands run as.
    @ivar caches: make room for those that are taken back.
    @ivar placement: what is attached; C{None} if nothing is.
    """

    means: Means
    home: Home
    user: TaskUser
    caches: ICaches
    loan: Loan
    supervisor: SupervisorLink
    placement: Placement | None = None
    _taken: dict[str, OneShot[None]] = field(default_factory=dict)

    def free(self) -> Deferred[None]:
        """Kill what lives, and remove the rest; repeatable."""
        return Deferred.fromCoroutine(self._free())

    async def _free(self) -> None:
        # In this order: the dead write neither to the log nor to the folder.
        await self.supervisor.close()
        self.loan.give_back()
        for taken in list(self._taken.values()):
            # Whoever asked may have gone, and it is being moved out of what goes now all the same.
            await whatever_happens(taken.wait().addErrback(lambda _: None))
        try:
            if self.placement is not None:
                await self.means.threads.run(self.placement.remove_outside)
        finally:
            await self.means.threads.run(remove_home, self.means, self.home)

    def take_back(self, path: str) -> Deferred[None]:
        """Have a cache where it was. Who asks again after a cancel waits for the same.

        Where a disk is full, room is made. Fails with L{TaskFailed} or L{ResourceUnavailable}.
        """
        if self.placement is None:
            return fail(TaskFailed(f"{path} is no cache of this task"))
        if path not in self._taken:
            self._taken[path] = OneShot()
            taking = with_room(self.caches, partial(self.means.threads.run, self.placement.take_back, path))
            Deferred.fromCoroutine(taking).addBoth(self._taken[path].settle)
        # Who is told has it: what is asked for after that is no cache of the task's any more.
        return self._taken[path].wait().addCallback(lambda _: self._told(path))

    def _told(self, path: str) -> None:
        self._taken.pop(path, None)

    async def give_up(self) -> None:
        """Free all of a run that does not begin; its caches are where they were."""
        await self.supervisor.close()
        if self.placement is not None:
            await put_back(self.placement, self.means.threads, self.caches)
        await self._free()


async def put_back(placement: Placement, threads: Threads, caches: ICaches) -> None:
    """Have all caches of a run that does not begin where they were; one for which no room can be made is logged."""
    try:
        await with_room(caches, partial(threads.run, placement.put_back))
    except NoRoom as error:
        _log.error("of a task that did not start, {problem}; it is lost", problem=error)
