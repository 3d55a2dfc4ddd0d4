"""What one native run consists of: its place on the machine, a supervisor, and the log while that writes it."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred

from tcworker.engine.native.home import Home, remove_home
from tcworker.engine.native.loan import Loan
from tcworker.engine.native.means import Means
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.engine.native.task_user import TaskUser


@dataclass
class Sandbox:
    """Everything that must be freed after a run.

    @ivar user: whom its commands run as.
    """

    means: Means
    home: Home
    user: TaskUser
    loan: Loan
    supervisor: SupervisorLink

    def free(self) -> Deferred[None]:
        """Kill what lives, and remove the rest; repeatable."""
        return Deferred.fromCoroutine(self._free())

    async def _free(self) -> None:
        # In this order: the dead write neither to the log nor to the folder.
        await self.supervisor.close()
        self.loan.give_back()
        await self.means.threads.run(remove_home, self.means, self.home)
