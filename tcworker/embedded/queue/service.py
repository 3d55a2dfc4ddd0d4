"""The queue: its parts put together."""

from __future__ import annotations

from tcworker.embedded.api import Api
from tcworker.embedded.ground import ApiService, Ground
from tcworker.embedded.queue.agenda import Agenda
from tcworker.embedded.queue.artifacts import Artifacts
from tcworker.embedded.queue.claims import Claims
from tcworker.embedded.queue.tasks import Tasks
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import RouteTable
from tcworker.embedded.schemas import SLUGID, TASK_QUEUE

PATTERNS = {
    "taskId": SLUGID,
    "taskGroupId": SLUGID,
    "runId": "^[1-9]*[0-9]+$",
    "taskQueueId": TASK_QUEUE,
    "name": "^[ -~]+$",
}


class QueueService(ApiService):
    """The queue's calls, and what it does by itself."""

    def __init__(self, ground: Ground) -> None:
        clock, times = ground.clock, ground.times
        transactions = Transactions(ground)
        self.claims = Claims(clock, times, transactions, ground.issue)
        self._agenda = Agenda(clock, transactions)
        transactions.on_ready = self.claims.wake
        transactions.on_due = self._agenda.expect
        tasks, artifacts = Tasks(clock, times, transactions), Artifacts(clock, times, transactions, ground.addresses)
        routes = [*ground.heartbeat.routes(), *tasks.routes(), *self.claims.routes(), *artifacts.routes()]
        self.api = Api("queue", RouteTable(routes), PATTERNS)

    async def start(self) -> None:
        """Begin to look at what is due."""
        self._agenda.start()

    async def stop(self) -> None:
        """Answer those who wait, and wait for nothing."""
        await self.claims.stop()
        await self._agenda.stop()
