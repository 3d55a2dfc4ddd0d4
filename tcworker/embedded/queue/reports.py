"""How workers say that a run is over (contracts of the queue, 1.7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.queue import states
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import Checker, closed
from tcworker.interfaces import JSON

REASONS = ("worker-shutdown", "malformed-payload", "resource-unavailable", "internal-error", "intermittent-task")
EXCEPTION = closed({"reason": {"enum": list(REASONS)}}, required=["reason"])

Change = Callable[[Task, int, str, int], Task]
"""What becomes of a task by the report of a run: its number, its end, and what time it is."""


class Reports:
    """Answers the calls by which runs end."""

    def __init__(self, clock: IReactorTime, transactions: Transactions) -> None:
        self._clock = clock
        self._transactions = transactions

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        run, scope = "/task/<taskId>/runs/<runId>", "queue:resolve-task:<taskId>/<runId>"
        return [
            Route("reportCompleted", "POST", f"{run}/completed", self._completed, scope),
            Route("reportFailed", "POST", f"{run}/failed", self._failed, scope),
            Route("reportException", "POST", f"{run}/exception", self._exception, scope, body=Checker(EXCEPTION)),
        ]

    async def _completed(self, call: Call) -> JSON:
        # Workers of old say so in the body when it failed.
        failed = isinstance(call.body, dict) and call.body.get("success") is False
        return await self._reported(call, states.report, "failed" if failed else "completed")

    async def _failed(self, call: Call) -> JSON:
        return await self._reported(call, states.report, "failed")

    async def _exception(self, call: Call) -> JSON:
        return await self._reported(call, states.report_exception, call.body["reason"])

    async def _reported(self, call: Call, change: Change, end: str) -> JSON:
        task_id, run_id = call.params["taskId"], call.number("runId")
        now = dates.now(self._clock)
        task = await self._transactions.run(self._report, task_id, run_id, change, end, now)
        return {"status": task.status()}

    def _report(self, store: Store, task_id: str, run_id: int, change: Change, end: str, now: int) -> Task:
        before = store.task(task_id)
        after = change(before, run_id, end, now)
        self._transactions.keep(store, before, after)
        if after is before:
            self._transactions.tell_again(store, after, run_id)
        return after
