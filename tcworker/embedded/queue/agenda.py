"""What the queue does by itself when its time has come: claims that expire, deadlines, dependencies."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tcworker.embedded import dates
from tcworker.embedded.queue import states
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Entry, Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.waiting import Loose

ENTRIES_AT_ONCE = 25
"""Of entries, and of tasks that one sets free, in one transaction: calls wait for no more than that."""

AFTER_FAILURE = 5 * dates.SECOND


class Agenda:
    """One timer for whatever is due next. The entries are in the database, so that a restart forgets none."""

    def __init__(self, clock: IReactorTime, transactions: Transactions) -> None:
        self._clock = clock
        self._transactions = transactions
        self._timer: IDelayedCall | None = None
        self._stopped = False
        self._log = Logger()
        self._working = Loose(self._log)

    def start(self) -> None:
        """Look at what came due meanwhile, and wait for the rest."""
        self._work()

    async def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        await self._working.wait()

    def expect(self, due: int) -> None:
        """Something is due then."""
        if self._stopped:
            return
        delay = max(0.0, (due - dates.now(self._clock)) / 1000)
        if self._timer is None or not self._timer.active():
            self._timer = self._clock.callLater(delay, self._work)
        # Only ever sooner: whoever looks finds out by itself what comes after.
        elif self._timer.getTime() > self._clock.seconds() + delay:
            self._timer.reset(delay)

    def _work(self) -> None:
        self._working.run(self._look(), "looking at what is due")

    async def _look(self) -> None:
        now = dates.now(self._clock)
        try:
            following = await self._transactions.run(self._resolve, now)
        except Exception:
            self._log.failure("what is due could not be done; the next try is in {s} s", s=AFTER_FAILURE // 1000)
            following = now + AFTER_FAILURE
        if following is not None:
            self.expect(following)

    def _resolve(self, store: Store, now: int) -> int | None:
        for entry in store.take_from_agenda(now, ENTRIES_AT_ONCE):
            task = store.find_task(entry.task_id)
            if task is not None:
                self._resolve_one(store, entry, task, now)
        return store.next_on_agenda()

    def _resolve_one(self, store: Store, entry: Entry, task: Task, now: int) -> None:
        if entry.kind == "claim":
            self._transactions.keep(store, task, states.expire_claim(task, entry.run_id, entry.taken_until, now))
        elif entry.kind == "deadline":
            self._transactions.keep(store, task, states.pass_deadline(task, now))
        else:
            self._release(store, entry, task, now)

    def _release(self, store: Store, entry: Entry, required: Task, now: int) -> None:
        """Schedule those who waited for this end of a task and for nothing else."""
        # As it ended then: that it has been given another run meanwhile takes nothing back.
        end = required.runs[entry.run_id].state
        waiting = store.dependencies.waiting_for(required.task_id, end, ENTRIES_AT_ONCE)
        for task in waiting:
            store.dependencies.satisfy(required.task_id, task.task_id)
            if not store.dependencies.waits(task.task_id) and now <= task.deadline:
                self._transactions.keep(store, task, states.schedule(task, now))
        if len(waiting) == ENTRIES_AT_ONCE:
            store.put_on_agenda(replace(entry, due=now))
        else:
            self._transactions.tell_if_group_is_over(store, required)
