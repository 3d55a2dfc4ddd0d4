"""Claiming and reclaiming runs, and the credentials of runs (contracts of the queue, 1.3 and 1.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.credentials import Issue, show_credentials
from tcworker.embedded.faults import conflict
from tcworker.embedded.queue import states
from tcworker.embedded.queue.polls import CLAIMS_AT_ONCE, ClaimRequest, Polls
from tcworker.embedded.queue.states import Run, Task
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.task_rows import LONG_ANSWER
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.queue.worker_store import WorkerKey
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import NAME_38, Checker, closed
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON

CLAIM_WORK = closed(
    {
        "workerGroup": NAME_38,
        "workerId": NAME_38,
        "tasks": {"type": "integer", "minimum": 1, "maximum": 32, "default": 1},
    },
    required=["workerGroup", "workerId", "tasks"],
)
CLAIM_TASK = closed({"workerGroup": NAME_38, "workerId": NAME_38}, required=["workerGroup", "workerId"])


@dataclass(frozen=True)
class _Claim:
    """A run that somebody has."""

    task: Task
    run: Run
    definition: JSON


class Claims:
    """Hands out runs, first come first served.

    @param issue: makes the credentials of runs.
    """

    def __init__(self, clock: IReactorTime, times: Times, transactions: Transactions, issue: Issue) -> None:
        self._clock = clock
        self._times = times
        self._transactions = transactions
        self._issue = issue
        self.polls = Polls(clock, times.poll, self._take_for)

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        run = "/task/<taskId>/runs/<runId>"
        return [
            Route("claimWork", "POST", "/claim-work/<*taskQueueId>", self._claim_work, body=Checker(CLAIM_WORK)),
            Route("claimTask", "POST", f"{run}/claim", self._claim_task, body=Checker(CLAIM_TASK)),
            Route("reclaimTask", "POST", f"{run}/reclaim", self._reclaim, "queue:reclaim-task:<taskId>/<runId>"),
        ]

    async def _claim_work(self, call: Call) -> JSON:
        worker = WorkerKey(call.params["taskQueueId"], call.body["workerGroup"], call.body["workerId"])
        call.require({"AllOf": [f"queue:claim-work:{worker.task_queue_id}", _scope_of(worker)]})
        return {"tasks": await self.polls.wait(ClaimRequest(worker, call.body["tasks"]))}

    async def _take_for(self, queue: str, requests: Sequence[ClaimRequest]) -> Sequence[Sequence[JSON] | None]:
        now = dates.now(self._clock)
        # One transaction for all of them; what can be done after it is, so that the next one need not wait.
        taken = await self._transactions.run(self._take, queue, requests, now)
        return [claims and [self._claimed_whole(claim, now) for claim in claims] for claims in taken]

    def _take(
        self, store: Store, queue: str, requests: Sequence[ClaimRequest], now: int
    ) -> Sequence[Sequence[_Claim] | None]:
        """Claim for all who ask, in one transaction; C{None} for those in quarantine."""
        waiting = list(store.open_runs.next(queue, now, min(CLAIMS_AT_ONCE, sum(one.count for one in requests))))
        taken: list[Sequence[_Claim] | None] = []
        for one in requests:
            if one.new:
                store.workers.saw(one.worker, now)
            # Else there is nothing to be kept from them.
            if (one.new or waiting) and store.workers.is_quarantined(one.worker, now):
                taken.append(None)
                continue
            taken.append(list(self._claim_some(store, one, waiting, now)))
        return taken

    def _claim_some(
        self, store: Store, one: ClaimRequest, waiting: list[tuple[str, int]], now: int
    ) -> Iterator[_Claim]:
        """Claim the next of those who wait, and take them off the list: no more than an answer has room for."""
        size = 0
        for _ in range(one.count):
            if not waiting or size > LONG_ANSWER:
                return
            task_id, run_id = waiting.pop(0)
            size += store.size(task_id)
            yield self._claim(store, task_id, run_id, one.worker, now)

    def _claim(self, store: Store, task_id: str, run_id: int, worker: WorkerKey, now: int) -> _Claim:
        before = store.task(task_id)
        held = (worker.worker_group, worker.worker_id)
        return self._keep(store, before, states.claim(before, run_id, *held, now, self._until(now)), worker)

    def _keep(self, store: Store, before: Task, after: Task, worker: WorkerKey) -> _Claim:
        run = after.runs[-1]
        self._transactions.keep(store, before, after)
        store.workers.add_recent(worker, {"taskId": after.task_id, "runId": run.run_id})
        return _Claim(after, run, store.definition(after.task_id))

    async def _claim_task(self, call: Call) -> JSON:
        task = await self._transactions.read(Store.task, call.params["taskId"])
        worker = WorkerKey(task.task_queue_id, call.body["workerGroup"], call.body["workerId"])
        call.require({"AllOf": [f"queue:claim-task:{task.task_queue_id}", _scope_of(worker)]})
        now = dates.now(self._clock)
        run_id = call.number("runId")
        return self._claimed_whole(
            await self._transactions.run(self._claim_by_name, task.task_id, run_id, worker, now), now
        )

    def _claim_by_name(self, store: Store, task_id: str, run_id: int, worker: WorkerKey, now: int) -> _Claim:
        before = store.task(task_id)
        held = (worker.worker_group, worker.worker_id)
        after = states.claim_by_name(before, run_id, *held, now, self._until(now))
        store.workers.saw(worker, now)
        # claimWork would keep them waiting; here there is nothing to wait for.
        if store.workers.is_quarantined(worker, now):
            raise conflict(f"Worker {'/'.join(held)} of {worker.task_queue_id} is in quarantine: it gets no tasks.")
        return self._keep(store, before, after, worker)

    async def _reclaim(self, call: Call) -> JSON:
        run_id, now = call.number("runId"), dates.now(self._clock)
        return self._claimed(await self._transactions.run(self._extend, call.params["taskId"], run_id, now), now)

    def _extend(self, store: Store, task_id: str, run_id: int, now: int) -> _Claim:
        before = store.task(task_id)
        task = states.reclaim(before, run_id, now, self._until(now))
        run = task.runs[run_id]
        self._transactions.keep(store, before, task)
        store.workers.saw(WorkerKey(task.task_queue_id, str(run.worker_group), str(run.worker_id)), now)
        return _Claim(task, run, store.definition(task_id))

    def _until(self, now: int) -> int:
        return dates.after(now, self._times.claim)

    def _claimed_whole(self, claim: _Claim, now: int) -> JSON:
        """Give what claimWork says of a run."""
        return {**self._claimed(claim, now), "task": claim.definition}

    def _claimed(self, claim: _Claim, now: int) -> JSON:
        """Give what reclaimTask says of a run."""
        run = claim.run
        return {
            "status": claim.task.status(),
            "runId": run.run_id,
            "workerGroup": run.worker_group,
            "workerId": run.worker_id,
            "takenUntil": dates.write(run.taken_until or now),
            "credentials": self._credentials(claim, now),
        }

    def _credentials(self, claim: _Claim, now: int) -> JSON:
        """Make the credentials of a run, good until its claim ends."""
        run, name = claim.run, f"{claim.task.task_id}/{claim.run.run_id}"
        until = run.taken_until or now
        made = self._issue(
            f"task-client/{name}/on/{run.worker_group}/{run.worker_id}/until/{until / 1000}",
            [*(f"queue:{verb}:{name}" for verb in _VERBS), *claim.definition["scopes"]],
            now,
            until,
        )
        return show_credentials(made)


_VERBS = ("reclaim-task", "resolve-task", "create-artifact")


def _scope_of(worker: WorkerKey) -> str:
    return f"queue:worker-id:{worker.worker_group}/{worker.worker_id}"
