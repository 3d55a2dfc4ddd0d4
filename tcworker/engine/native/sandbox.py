"""What one native run consists of: its place on the machine, a supervisor, and the log while that writes it."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred, fail

from tcworker.engine.native.home import Home, remove_home
from tcworker.engine.native.loan import Loan
from tcworker.engine.native.means import Means
from tcworker.engine.native.porter import Porter
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.engine.native.task_user import TaskUser
from tcworker.errors import TaskFailed


@dataclass
class Sandbox:
    """Everything that must be freed after a run.

    @ivar user: whom its commands run as.
    @ivar porter: of what is attached; C{None} if nothing is.
    """

    means: Means
    home: Home
    user: TaskUser
    loan: Loan
    supervisor: SupervisorLink
    porter: Porter | None = None

    def free(self) -> Deferred[None]:
        """Kill what lives, and remove the rest; repeatable."""
        return Deferred.fromCoroutine(self._free())

    async def _free(self) -> None:
        # In this order: the dead write neither to the log nor to the folder.
        await self.supervisor.close()
        self.loan.give_back()
        try:
            if self.porter is not None:
                await self.porter.end()
        finally:
            await self.means.threads.run(remove_home, self.means, self.home)

    def take_back(self, path: str) -> Deferred[None]:
        """Have a cache where it was. Fails with L{TaskError}: it is lost."""
        if self.porter is None:
            return fail(TaskFailed(f"{path} is no cache of this task"))
        return self.porter.take_back(path)

    async def give_up(self) -> None:
        """Free all of a run that does not begin; its caches are where they were."""
        await self.supervisor.close()
        try:
            if self.porter is not None:
                await self.porter.put_back()
        finally:
            await self._free()
