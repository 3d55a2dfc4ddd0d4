"""Every change of the queue: a transaction, and after it what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from tcworker.embedded import dates
from tcworker.embedded.ground import Ground
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Entry, Store

T = TypeVar("T")
P = ParamSpec("P")


class Transactions:
    """Runs jobs on the queue's tables.

    @ivar on_ready: called with a task queue once something new waits in it.
    @ivar on_due: called with the date of the earliest new entry of the agenda.
    """

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._clock = ground.clock
        self._times = ground.times
        self.on_ready: Callable[[str], None]
        self.on_due: Callable[[int], None]

    async def run(self, job: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a job with the store, in a transaction; what it raises undoes what it did."""
        store, result = await self._database.run(lambda connection: _call(Store(connection), job, *args, **kwargs))
        # Not before the commit: who is woken must find what woke it, and a claim is kept before its answer leaves.
        if store.due is not None:
            self.on_due(store.due)
        for task_queue_id in store.ready:
            self.on_ready(task_queue_id)
        return result

    def keep(self, store: Store, before: Task, after: Task) -> None:
        """Keep what became of a task, and put down what follows: who may claim it, what to look at and when."""
        if after is before:
            return
        store.change_task(after)
        if before.state == "pending":
            store.remove_pending(before.task_id)
        if after.state == "pending":
            store.add_pending(after)
        # A claim that is extended leaves the older entry where it is: it does not fit any more, and does nothing.
        if after.state == "running":
            taken_until = after.runs[-1].taken_until or 0
            store.put_on_agenda(Entry(taken_until, "claim", after.task_id, len(after.runs) - 1, taken_until))
        if after.resolved:
            due = dates.now(self._clock) + int(self._times.dependencies * 1000)
            store.put_on_agenda(Entry(due, "dependencies", after.task_id))


def _call(store: Store, job: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> tuple[Store, T]:
    return store, job(store, *args, **kwargs)
