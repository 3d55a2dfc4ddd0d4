"""The queue: its parts put together."""

from __future__ import annotations

from tcworker.embedded.api_service import ApiService
from tcworker.embedded.ground import Ground
from tcworker.embedded.queue.agenda import Agenda
from tcworker.embedded.queue.artifacts import Artifacts
from tcworker.embedded.queue.claims import Claims
from tcworker.embedded.queue.expired import EXPIRED
from tcworker.embedded.queue.groups import Groups
from tcworker.embedded.queue.reports import Reports
from tcworker.embedded.queue.store import SCHEMA
from tcworker.embedded.queue.task_queues import TaskQueues
from tcworker.embedded.queue.tasks import Tasks
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.queue.workers import Workers
from tcworker.embedded.schemas import NAME, SLUGID, TASK_QUEUE, WORKER_TYPE

PATTERNS = {
    "taskId": SLUGID,
    "taskGroupId": SLUGID,
    "runId": "^[0-9]+$",
    "taskQueueId": TASK_QUEUE,
    "provisionerId": NAME,
    "workerType": WORKER_TYPE,
    "workerGroup": NAME,
    "workerId": NAME,
    "name": "^[ -~]{1,1024}$",
}


class QueueService(ApiService):
    """The queue's calls, and what it does by itself."""

    schema = SCHEMA
    expired = EXPIRED

    def __init__(self, ground: Ground) -> None:
        clock, times = ground.clock, ground.times
        transactions = Transactions(ground)
        claims = Claims(clock, times, transactions, ground.issue)
        self.polls = claims.polls
        self._agenda = Agenda(clock, transactions)
        self._workers = Workers(clock, transactions)
        transactions.on_ready = self.polls.wake
        transactions.on_due = self._agenda.expect
        parts = (
            Tasks(clock, times, transactions),
            Groups(clock, transactions),
            claims,
            Reports(clock, transactions),
            Artifacts(ground, transactions),
            TaskQueues(clock, transactions),
            self._workers,
        )
        super().__init__("queue", ground, [route for part in parts for route in part.routes()], PATTERNS)
        self._outbox = ground.outbox
        self._unlisten = lambda: None

    async def start(self) -> None:
        """Begin to look at what is due, and to hear of workers that are gone."""
        self._unlisten = self._outbox.listen(self._workers.hear)
        self._agenda.start()

    async def stop(self) -> None:
        """Answer those who wait, and wait for nothing."""
        self._unlisten()
        await self.polls.stop()
        await self._workers.stop()
        await self._agenda.stop()
