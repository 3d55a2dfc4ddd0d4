"""Claiming: claimWork and who waits in it, reclaiming, the credentials of runs (contracts of the queue, 1.3, 1.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.ground import Issue
from tcworker.embedded.queue import states
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME_38, Checker, closed
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON
from tcworker.waiting import Loose

CLAIM_WORK = closed(
    {
        "workerGroup": NAME_38,
        "workerId": NAME_38,
        "tasks": {"type": "integer", "minimum": 1, "maximum": 32, "default": 1},
    },
    *("workerGroup", "workerId", "tasks"),
)


@dataclass(eq=False)
class _Waiter:
    """Somebody in claimWork."""

    worker_group: str
    worker_id: str
    count: int
    answer: Deferred[Sequence[JSON]] = field(default_factory=Deferred)


class Claims:
    """Hands out runs, first come first served.

    @param issue: makes the credentials of runs.
    """

    def __init__(self, clock: IReactorTime, times: Times, transactions: Transactions, issue: Issue) -> None:
        self._clock = clock
        self._times = times
        self._transactions = transactions
        self._issue = issue
        self._waiting: dict[str, list[_Waiter]] = defaultdict(list)
        self._serving = DeferredLock()
        self._loose = Loose(Logger())
        self._open = True

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        run = "/task/<taskId>/runs/<runId>"
        return [
            Route("claimWork", "POST", "/claim-work/<*taskQueueId>", self._claim_work, body=Checker(CLAIM_WORK)),
            Route("reclaimTask", "POST", f"{run}/reclaim", self._reclaim, "queue:reclaim-task:<taskId>/<runId>"),
        ]

    def wake(self, task_queue_id: str) -> None:
        """Something waits in this queue now: serve those who wait for it."""
        if self._waiting.get(task_queue_id):
            self._loose.run(self._serve(task_queue_id), "handing out tasks")

    def end_polls(self) -> None:
        """Answer everybody who waits, with nothing."""
        for waiters in list(self._waiting.values()):
            for waiter in list(waiters):
                self._dismiss(waiters, waiter)

    async def stop(self) -> None:
        """Let nobody wait any more."""
        self._open = False
        self.end_polls()
        await self._loose.wait()

    async def _claim_work(self, call: Call) -> JSON:
        queue, body = call.params["taskQueueId"], call.body
        worker = f"queue:worker-id:{body['workerGroup']}/{body['workerId']}"
        call.require({"AllOf": [f"queue:claim-work:{queue}", worker]})
        return {"tasks": await self._wait(queue, _Waiter(body["workerGroup"], body["workerId"], body["tasks"]))}

    async def _wait(self, queue: str, waiter: _Waiter) -> Sequence[JSON]:
        waiters = self._waiting[queue]
        # Behind those who wait already, even if something is there: then it is being handed to them.
        waiters.append(waiter)
        timer = self._clock.callLater(self._times.poll if self._open else 0, self._dismiss, waiters, waiter)
        try:
            await self._serve(queue)
            return await waiter.answer
        finally:
            if timer.active():
                timer.cancel()
            self._forget(queue, waiters, waiter)

    def _forget(self, queue: str, waiters: list[_Waiter], waiter: _Waiter) -> None:
        if waiter in waiters:
            waiters.remove(waiter)
        if not waiters and self._waiting.get(queue) is waiters:
            del self._waiting[queue]

    def _dismiss(self, waiters: list[_Waiter], waiter: _Waiter) -> None:
        waiters.remove(waiter)
        waiter.answer.callback([])

    async def _serve(self, queue: str) -> None:
        """Give what is pending to those who wait, until one of the two is at its end.

        One at a time, so that whoever came first is served first. A claim whose waiter has gone meanwhile stays with
        that worker until it expires, as in a real deployment.
        """
        await self._serving.acquire()
        try:
            while waiters := self._waiting.get(queue):
                waiter = waiters[0]
                claims = await self._transactions.run(self._take, queue, waiter)
                if not claims:
                    return
                if waiter in waiters:
                    waiters.remove(waiter)
                    waiter.answer.callback(claims)
        finally:
            self._serving.release()

    def _take(self, store: Store, queue: str, waiter: _Waiter) -> Sequence[JSON]:
        now = dates.now(self._clock)
        return [
            self._claim(store, task_id, run_id, waiter, now)
            for task_id, run_id in store.pending(queue, now, waiter.count)
        ]

    def _claim(self, store: Store, task_id: str, run_id: int, waiter: _Waiter, now: int) -> JSON:
        before = store.task(task_id)
        taken_until = now + int(self._times.claim * 1000)
        task = states.claim(before, run_id, waiter.worker_group, waiter.worker_id, now, taken_until)
        self._transactions.keep(store, before, task)
        definition = store.definition(task_id)
        return {**self._claimed(task, run_id, definition, now), "task": definition}

    async def _reclaim(self, call: Call) -> JSON:
        run_id = int(call.params["runId"])
        task, definition = await self._transactions.run(self._extend, call.params["taskId"], run_id)
        return self._claimed(task, run_id, definition, dates.now(self._clock))

    def _extend(self, store: Store, task_id: str, run_id: int) -> tuple[Task, JSON]:
        before = store.task(task_id)
        now = dates.now(self._clock)
        task = states.reclaim(before, run_id, now, now + int(self._times.claim * 1000))
        self._transactions.keep(store, before, task)
        return task, store.definition(task_id)

    def _claimed(self, task: Task, run_id: int, definition: JSON, now: int) -> JSON:
        """Give what claimWork and reclaimTask say of a run."""
        run = task.run(run_id)
        taken_until = run.taken_until or now
        return {
            "status": task.status(),
            "runId": run_id,
            "workerGroup": run.worker_group,
            "workerId": run.worker_id,
            "takenUntil": dates.write(taken_until),
            "credentials": self._credentials(task, run_id, definition["scopes"], now, taken_until),
        }

    def _credentials(self, task: Task, run_id: int, scopes: Sequence[str], now: int, until: int) -> JSON:
        """Make the credentials of a run, good until its claim ends."""
        run, name = task.run(run_id), f"{task.task_id}/{run_id}"
        made = self._issue(
            f"task-client/{name}/on/{run.worker_group}/{run.worker_id}/until/{until / 1000}",
            [f"queue:reclaim-task:{name}", f"queue:resolve-task:{name}", f"queue:create-artifact:{name}", *scopes],
            now,
            until,
        )
        return {"clientId": made.client_id, "accessToken": made.access_token, "certificate": made.certificate}
