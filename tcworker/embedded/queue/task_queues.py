"""Task queues: what waits in them and what is claimed, and where there are any (contracts of the queue, 1.2)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import not_found
from tcworker.embedded.paging import PAGED, one_page, page_by_number, page_of
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.task_rows import task_of
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.queue.worker_store import TaskQueue
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import TASK_QUEUE, Checker, closed
from tcworker.interfaces import JSON

TASK_QUEUE_IDS = closed(
    {
        "taskQueueIds": {
            "type": "array",
            "items": {"type": "string", "pattern": TASK_QUEUE},
            "uniqueItems": True,
            "maxItems": 1000,
        }
    },
    required=["taskQueueIds"],
)

SAME_FOR_ALL: Mapping[str, str] = {"description": "", "stability": "experimental"}
"""What nobody can set any more, though it is still shown."""


class TaskQueues:
    """Answers the calls about task queues, and about their parts by the old names: provisioners and worker types."""

    def __init__(self, clock: IReactorTime, transactions: Transactions) -> None:
        self._clock = clock
        self._transactions = transactions

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        return [*self._routes_to_tasks(), *self._routes_to_queues(), *self._routes_of_old()]

    def _routes_to_tasks(self) -> Sequence[Route]:
        queue, pending = "/task-queues/<*taskQueueId>", "queue:pending-count:<taskQueueId>"
        both = {"AllOf": [pending, "queue:claimed-count:<taskQueueId>"]}
        return [
            Route("pendingTasks", "GET", "/pending/<*taskQueueId>", self._pending_count, pending),
            Route("taskQueueCounts", "GET", f"{queue}/counts", self._counts, both),
            Route("taskQueueCountsBatch", "POST", "/task-queues/counts", self._batch, body=Checker(TASK_QUEUE_IDS)),
            Route(
                "listPendingTasks", "GET", f"{queue}/pending", self._pending, "queue:pending-list:<taskQueueId>", PAGED
            ),
            Route(
                "listClaimedTasks", "GET", f"{queue}/claimed", self._claimed, "queue:claimed-list:<taskQueueId>", PAGED
            ),
        ]

    def _routes_to_queues(self) -> Sequence[Route]:
        one = "/task-queues/<taskQueueId>"
        return [
            Route("listTaskQueues", "GET", "/task-queues", self._list, "queue:list-task-queues", PAGED),
            Route("getTaskQueue", "GET", one, self._get, "queue:get-task-queue:<taskQueueId>"),
        ]

    def _routes_of_old(self) -> Sequence[Route]:
        every, one = "/provisioners", "/provisioners/<provisionerId>"
        types, of_type = f"{one}/worker-types", f"{one}/worker-types/<workerType>"
        name = "<provisionerId>/<workerType>"
        return [
            Route("listProvisioners", "GET", every, self._provisioners, "queue:list-provisioners", PAGED),
            Route("getProvisioner", "GET", one, self._provisioner, "queue:get-provisioner:<provisionerId>"),
            Route("listWorkerTypes", "GET", types, self._types, "queue:list-worker-types:<provisionerId>", PAGED),
            Route("getWorkerType", "GET", of_type, self._type, f"queue:get-worker-type:{name}"),
        ]

    async def _pending_count(self, call: Call) -> JSON:
        counts = await self._counts(call)
        # Whoever may ask for this need not be allowed to know how many are claimed.
        return {name: value for name, value in counts.items() if name != "claimedTasks"}

    async def _counts(self, call: Call) -> JSON:
        [counts] = await self._transactions.read(_count, [call.params["taskQueueId"]], dates.now(self._clock))
        return counts

    async def _batch(self, call: Call) -> JSON:
        queues = call.body["taskQueueIds"]
        call.require({"AllOf": [f"queue:{kind}-count:{one}" for one in queues for kind in ("pending", "claimed")]})
        return {"taskQueueCounts": await self._transactions.read(_count, queues, dates.now(self._clock))}

    async def _pending(self, call: Call) -> JSON:
        queue, now = call.params["taskQueueId"], dates.now(self._clock)
        return await self._transactions.read(_pending, queue, now, *page_by_number(call.query))

    async def _claimed(self, call: Call) -> JSON:
        return await self._transactions.read(_claimed, call.params["taskQueueId"], *page_by_number(call.query))

    async def _list(self, call: Call) -> JSON:
        limit, found = await self._page(call, "")
        return one_page("taskQueues", [(queue.task_queue_id, _shown(queue)) for queue in found], limit)

    async def _get(self, call: Call) -> JSON:
        return _shown(await self._find(call.params["taskQueueId"]))

    async def _types(self, call: Call) -> JSON:
        limit, found = await self._page(call, f"{call.params['provisionerId']}/")
        return one_page("workerTypes", [(queue.task_queue_id, _shown_as_type(queue)) for queue in found], limit)

    async def _type(self, call: Call) -> JSON:
        queue = await self._find(f"{call.params['provisionerId']}/{call.params['workerType']}")
        return {**_shown_as_type(queue), "actions": []}

    async def _provisioners(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        every = sorted((await self._of_provisioners("")).items())
        return one_page("provisioners", [one for one in every if one[0] > after][: limit + 1], limit)

    async def _provisioner(self, call: Call) -> JSON:
        name = call.params["provisionerId"]
        # With the slash: one provisioner's name may begin with another one's.
        found = await self._of_provisioners(f"{name}/")
        if name not in found:
            raise not_found(f"There is no provisioner {name}.")
        return found[name]

    async def _of_provisioners(self, prefix: str) -> Mapping[str, JSON]:
        # Nobody declares provisioners any more: there are those with whose names task queues begin.
        now = dates.now(self._clock)
        return _provisioners(await self._transactions.read(lambda store: store.workers.queues(prefix, now, "", -1)))

    async def _page(self, call: Call, prefix: str) -> tuple[int, Sequence[TaskQueue]]:
        limit, after = page_of(call.query)
        now = dates.now(self._clock)
        found = await self._transactions.read(lambda store: store.workers.queues(prefix, now, after, limit + 1))
        return limit, found

    async def _find(self, task_queue_id: str) -> TaskQueue:
        now = dates.now(self._clock)
        queue = await self._transactions.read(lambda store: store.workers.find_queue(task_queue_id, now))
        if queue is None:
            raise not_found(f"There is no task queue {task_queue_id}.")
        return queue


def _count(store: Store, queues: Sequence[str], now: int) -> Sequence[JSON]:
    found = []
    for queue in queues:
        pending, claimed = store.open_runs.count(queue, now)
        found.append({**_named(queue), "pendingTasks": pending, "claimedTasks": claimed})
    return found


def _named(task_queue_id: str) -> JSON:
    provisioner_id, worker_type = task_queue_id.split("/")
    return {"taskQueueId": task_queue_id, "provisionerId": provisioner_id, "workerType": worker_type}


def _pending(store: Store, queue: str, now: int, limit: int, after: int) -> JSON:
    rows, most = store.open_runs.list_pending(queue, now, after, limit)
    return one_page("tasks", [(str(row["place"]), _pending_task(row)) for row in rows], most)


def _claimed(store: Store, queue: str, limit: int, after: int) -> JSON:
    rows, most = store.open_runs.list_claimed(queue, after, limit)
    return one_page("tasks", [(str(row["place"]), _claimed_task(row)) for row in rows], most)


def _pending_task(row: sqlite3.Row) -> JSON:
    task = task_of(row)
    return {**_run_of(task, row), "inserted": dates.write(task.runs[-1].scheduled)}


def _claimed_task(row: sqlite3.Row) -> JSON:
    task = task_of(row)
    run = task.runs[-1]
    worker = {"workerGroup": run.worker_group, "workerId": run.worker_id}
    return {**_run_of(task, row), **worker, "claimed": dates.write(run.started or 0)}


def _run_of(task: Task, row: sqlite3.Row) -> JSON:
    return {"taskId": task.task_id, "runId": len(task.runs) - 1, "task": json.loads(row["definition"])}


def _shown(queue: TaskQueue) -> JSON:
    return {"taskQueueId": queue.task_queue_id, **_seen(queue.expires, queue.last_date_active)}


def _shown_as_type(queue: TaskQueue) -> JSON:
    return {**_named(queue.task_queue_id), **_seen(queue.expires, queue.last_date_active)}


def _seen(expires: int, last_date_active: int) -> JSON:
    return {"expires": dates.write(expires), "lastDateActive": dates.write(last_date_active), **SAME_FOR_ALL}


def _provisioners(queues: Iterable[TaskQueue]) -> Mapping[str, JSON]:
    """Give what is known of provisioners, by name: as much as of the latest of their task queues."""
    latest: dict[str, tuple[int, int]] = {}
    for queue in queues:
        name = queue.task_queue_id.partition("/")[0]
        expires, active = latest.get(name, (0, 0))
        latest[name] = (max(expires, queue.expires), max(active, queue.last_date_active))
    return {name: {"provisionerId": name, **_seen(*dated), "actions": []} for name, dated in latest.items()}
