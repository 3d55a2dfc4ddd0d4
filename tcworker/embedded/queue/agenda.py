"""What the queue does by itself when its time has come: claims that expire, deadlines, dependencies."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tcworker.embedded import dates
from tcworker.embedded.queue import states
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Entry, Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.waiting import Loose

AT_ONCE = 100


class Agenda:
    """One timer for whatever is due next. The entries are in the database, so that a restart forgets none."""

    def __init__(self, clock: IReactorTime, transactions: Transactions) -> None:
        self._clock = clock
        self._transactions = transactions
        self._timer: IDelayedCall | None = None
        self._stopped = False
        self._working = Loose(Logger())

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
        following = await self._transactions.run(self._resolve)
        if following is not None:
            self.expect(following)

    def _resolve(self, store: Store) -> int | None:
        now = dates.now(self._clock)
        for entry in store.take_from_agenda(now, AT_ONCE):
            task = store.find_task(entry.task_id)
            if task is not None:
                self._resolve_one(store, entry, task, now)
        return store.next_on_agenda()

    def _resolve_one(self, store: Store, entry: Entry, task: Task, now: int) -> None:
        if entry.kind == "claim":
            self._transactions.keep(store, task, states.expire_claim(task, entry.run_id, entry.taken_until, now))
        elif entry.kind == "deadline":
            self._transactions.keep(store, task, states.pass_deadline(task, now))
        elif task.resolved:
            self._release(store, task, now)

    def _release(self, store: Store, required: Task, now: int) -> None:
        """Schedule those who waited for this task and for nothing else."""
        for task in store.dependents(required.task_id):
            if satisfies(required, task):
                store.satisfy(required.task_id, task.task_id)
                if not store.waits(task.task_id) and now <= task.deadline:
                    self._transactions.keep(store, task, states.schedule(task, now))


def satisfies(required: Task, task: Task) -> bool:
    """Whether a task, as it is now, is what another one waits for."""
    return required.state == "completed" or (task.requires == "all-resolved" and required.resolved)
