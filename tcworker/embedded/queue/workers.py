"""Workers as the queue knows them: declaring, listing and quarantining them (contracts of the queue, 1.8)."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import not_found
from tcworker.embedded.outbox import Message
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.queue import states
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.queue.worker_store import Worker, WorkerKey
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import DATE, Checker, closed
from tcworker.interfaces import JSON
from tcworker.waiting import Loose

DECLARATION = closed({"expires": DATE}, required=["expires"])
QUARANTINE = closed(
    {"quarantineUntil": DATE, "quarantineInfo": {"type": "string", "maxLength": 4000}}, required=["quarantineUntil"]
)
GONE = ("worker-removed", "worker-stopped")
"""The messages of worker-manager after which nobody has a worker's runs any more."""


class Workers:
    """Answers the calls about workers, and takes back what those had who are gone."""

    def __init__(self, clock: IReactorTime, transactions: Transactions) -> None:
        self._clock = clock
        self._transactions = transactions
        self._loose = Loose(Logger())

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        worker_type, name = "/provisioners/<provisionerId>/worker-types/<workerType>", "<provisionerId>/<workerType>"
        every, worker = f"{worker_type}/workers", f"{name}/<workerGroup>/<workerId>"
        one = f"{every}/<workerGroup>/<workerId>"
        quarantine, listed = Checker(QUARANTINE), {**PAGED, "quarantined": "true|false"}
        declared = f"{worker_type}/<workerGroup>/<workerId>"
        return [
            Route("listWorkers", "GET", every, self._list, f"queue:list-workers:{name}", listed),
            Route("getWorker", "GET", one, self._get, f"queue:get-worker:{worker}"),
            Route(
                "quarantineWorker", "PUT", one, self._quarantine, f"queue:quarantine-worker:{worker}", body=quarantine
            ),
            Route("declareWorker", "PUT", declared, self._declare, body=Checker(DECLARATION)),
        ]

    def hear(self, message: Message) -> None:
        """Take back the runs of a worker of which worker-manager says that it is gone."""
        # Their claims would end by themselves, but not for up to 20 minutes.
        if message.service == "worker-manager" and message.exchange in GONE:
            payload = message.payload
            worker = WorkerKey(payload["workerPoolId"], payload["workerGroup"], payload["workerId"])
            taking = self._transactions.run(self._take_back, worker, dates.now(self._clock))
            self._loose.run(taking, "taking back the runs of a worker that is gone")

    async def stop(self) -> None:
        """Finish what was begun."""
        await self._loose.wait()

    def _take_back(self, store: Store, worker: WorkerKey, now: int) -> None:
        for task_id, run_id in store.open_runs.claimed_by(*worker):
            task = store.task(task_id)
            self._transactions.keep(store, task, states.lose_worker(task, run_id, now))

    async def _declare(self, call: Call) -> JSON:
        worker = _named(call)
        call.require({"AllOf": [f"queue:declare-worker:{'/'.join(worker)}#{key}" for key in call.body]})
        now, expires = dates.now(self._clock), dates.read(call.body["expires"])
        return _shown(await self._transactions.run(_declare, worker, now, expires))

    async def _quarantine(self, call: Call) -> JSON:
        now, until = dates.now(self._clock), dates.read(call.body["quarantineUntil"])
        details = {
            "clientId": call.identify().client_id,
            "updatedAt": dates.write(now),
            "quarantineUntil": dates.write(until),
            "quarantineInfo": call.body.get("quarantineInfo", ""),
        }
        return _shown(await self._transactions.run(_quarantine, _named(call), now, until, details))

    async def _get(self, call: Call) -> JSON:
        return _shown(await self._transactions.read(_find, _named(call), dates.now(self._clock)))

    async def _list(self, call: Call) -> JSON:
        queue, now = f"{call.params['provisionerId']}/{call.params['workerType']}", dates.now(self._clock)
        limit, token = page_of(call.query)
        group, _, name = token.partition("/")
        which = call.query.get("quarantined", "")
        found = await self._transactions.read(
            lambda store: store.workers.of_queue(queue, now, (group, name), limit + 1, which)
        )
        return one_page("workers", [("/".join(one.key[1:]), _summary(one, now)) for one in found], limit)


def _named(call: Call) -> WorkerKey:
    params = call.params
    return WorkerKey(
        f"{params['provisionerId']}/{params['workerType']}",
        params["workerGroup"],
        params["workerId"],
    )


def _find(store: Store, key: WorkerKey, now: int) -> Worker:
    worker = store.workers.find(key, now)
    if worker is None:
        raise not_found(f"Task queue {key.task_queue_id} has no worker {key.worker_group}/{key.worker_id}.")
    return worker


def _declare(store: Store, key: WorkerKey, now: int, expires: int) -> Worker:
    store.workers.saw(key, now)
    # Its date may have passed already: then it is as good as deleted, though this call still shows it.
    store.workers.declare(key, expires)
    return _find(store, key, min(now, expires - 1))


def _quarantine(store: Store, key: WorkerKey, now: int, until: int, details: JSON) -> Worker:
    worker = _find(store, key, now)
    # A date that is over lifts the quarantine, and is listed as well: it tells who did that, and why.
    store.workers.quarantine(key, until, [*worker.quarantine_details, details])
    return _find(store, key, now)


def _shown(worker: Worker) -> JSON:
    provisioner_id, worker_type = worker.key.task_queue_id.split("/")
    details = {"quarantineDetails": worker.quarantine_details} if worker.quarantine_details else {}
    return {
        "provisionerId": provisioner_id,
        "workerType": worker_type,
        **_name_of(worker),
        "taskQueueId": worker.key.task_queue_id,
        "recentTasks": worker.recent_tasks,
        "expires": dates.write(worker.expires),
        "quarantineUntil": dates.write(worker.quarantine_until),
        **details,
        "firstClaim": dates.write(worker.first_claim),
        "lastDateActive": dates.write(worker.last_date_active),
        "actions": [],
    }


def _summary(worker: Worker, now: int) -> JSON:
    latest = {"latestTask": worker.recent_tasks[-1]} if worker.recent_tasks else {}
    # In lists one that is over is none, though the worker's own answer still has its date.
    quarantined = worker.quarantine_until > now
    quarantine = {"quarantineUntil": dates.write(worker.quarantine_until)} if quarantined else {}
    dated = {"firstClaim": dates.write(worker.first_claim), "lastDateActive": dates.write(worker.last_date_active)}
    return {**_name_of(worker), **dated, **latest, **quarantine}


def _name_of(worker: Worker) -> JSON:
    return {"workerGroup": worker.key.worker_group, "workerId": worker.key.worker_id}
