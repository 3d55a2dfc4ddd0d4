"""Every change of the queue: a transaction, and after it what follows from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.embedded import dates
from tcworker.embedded.faults import ApiError
from tcworker.embedded.ground import Ground
from tcworker.embedded.queue import messages
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Entry, Store
from tcworker.waiting import OneShot

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
        self._outbox = ground.outbox
        self._log = Logger()
        self.on_ready: Callable[[str], None]
        self.on_due: Callable[[int], None]

    async def run(self, job: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a job with the store, in a transaction; what it raises undoes what it did.

        A caller who is cancelled gives up the result and nothing else: what was kept has its consequences.
        """
        outcome: OneShot[T] = OneShot()
        Deferred.fromCoroutine(self._run(job, *args, **kwargs)).addBoth(outcome.settle)
        try:
            return await outcome.wait()
        except CancelledError:
            outcome.wait().addErrback(self._note)
            raise

    async def read(self, job: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a job that only reads with the store, beside those that write."""
        return await self._database.read(lambda connection: job(Store(connection), *args, **kwargs))

    async def _run(self, job: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        store, result = await self._database.run(lambda connection: self._change(connection, job, *args, **kwargs))
        # Not before the commit: who is woken must find what woke it, and a claim is kept before its answer leaves.
        self._outbox.send(store.messages)
        if store.due is not None:
            self.on_due(store.due)
        for task_queue_id in store.ready:
            self.on_ready(task_queue_id)
        return result

    def _change(
        self, connection: sqlite3.Connection, job: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Store, T]:
        store = Store(connection)
        result = job(store, *args, **kwargs)
        self._outbox.complete(connection, store.messages)
        return store, result

    def _note(self, reason: Failure) -> None:
        """Log what nobody waits for any more, unless it is only that the call would have been refused."""
        if not reason.check(ApiError):
            self._log.failure("a transaction failed whose caller had gone", failure=reason)

    def keep(self, store: Store, before: Task, after: Task) -> None:
        """Keep what became of a task, and put down what follows: who may claim it, what to look at and when."""
        if after is before:
            return
        store.change_task(before, after)
        store.messages += messages.of_change(before, after, store.about(after.task_id))
        # A claim that is extended leaves the older entry where it is: it does not fit any more, and does nothing.
        if after.state == "running":
            taken_until = after.runs[-1].taken_until or 0
            store.put_on_agenda(Entry(taken_until, "claim", after.task_id, len(after.runs) - 1, taken_until))
        if after.resolved:
            due = dates.after(dates.now(self._clock), self._times.dependencies)
            store.put_on_agenda(Entry(due, "dependencies", after.task_id, len(after.runs) - 1))

    def tell_created(self, store: Store, task: Task) -> None:
        """Tell of a task that is created, or is created again as it was and still waits for its first run to begin."""
        about = store.about(task.task_id)
        if not task.runs:
            store.messages.append(messages.of_creation(task, about))
        elif task.runs[0].state == "pending":
            store.messages.append(messages.of_run(task, task.runs[0], about))

    def tell_again(self, store: Store, task: Task, first: int) -> None:
        """Tell once more how the runs of a task stand, from one on, because a call that changed them is repeated."""
        about = store.about(task.task_id)
        store.messages += [messages.of_run(task, run, about) for run in task.runs[first:]]

    def tell_if_group_is_over(self, store: Store, task: Task) -> None:
        """Tell that nothing is left to be done in the group of a task that is over, if that is so, for now."""
        group = store.groups.find(task.group_id)
        if group is not None and not store.groups.unresolved(group.group_id, "", 1):
            store.messages.append(messages.of_resolved_group(group))
