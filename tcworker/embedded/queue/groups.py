"""Task groups: reading, sealing and cancelling them (contracts of the queue, 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import conflict, not_found
from tcworker.embedded.paging import PAGED, page_of
from tcworker.embedded.queue import messages, states
from tcworker.embedded.queue.messages import Group
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.tasks import PRIORITY, page_of_tasks
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import Checker
from tcworker.interfaces import JSON

TASKS_AT_ONCE = 100
"""Of a group's tasks in one transaction: calls wait for no more than that."""


class Groups:
    """Answers the calls about task groups."""

    def __init__(self, clock: IReactorTime, transactions: Transactions) -> None:
        self._clock = clock
        self._transactions = transactions

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        group, listing = "/task-group/<taskGroupId>", "queue:list-task-group:<taskGroupId>"
        return [
            Route("getTaskGroup", "GET", group, self._get, listing),
            Route("listTaskGroup", "GET", f"{group}/list", self._list, listing, PAGED),
            Route("sealTaskGroup", "POST", f"{group}/seal", self._seal),
            Route("cancelTaskGroup", "POST", f"{group}/cancel", self._cancel),
            Route("changeTaskGroupPriority", "POST", f"{group}/priority", self._prioritise, body=Checker(PRIORITY)),
        ]

    async def _get(self, call: Call) -> JSON:
        return _shown(await self._transactions.read(_find, call.params["taskGroupId"]))

    async def _list(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        return await self._transactions.read(_list, call.params["taskGroupId"], after, limit)

    async def _seal(self, call: Call) -> JSON:
        group = await self._permitted(call, "seal-task-group")
        return _shown(await self._transactions.run(_seal, group, dates.now(self._clock)))

    async def _cancel(self, call: Call) -> JSON:
        group = await self._permitted(call, "cancel-task-group")
        if group.sealed is None:
            raise conflict(f"Task group {group.group_id} is not sealed: seal it before it is cancelled.")
        # Sealed, it cannot grow meanwhile.
        cancelled = await self._change_all(group, states.cancel)
        size = await self._transactions.read(lambda store: store.groups.size(group.group_id))
        counts = {"taskGroupSize": size, "cancelledCount": len(cancelled)}
        return {"taskGroupId": group.group_id, **counts, "taskIds": cancelled}

    async def _prioritise(self, call: Call) -> JSON:
        group, priority = await self._permitted(call, "change-task-group-priority"), call.body["newPriority"]

        def change(task: Task, now: int) -> Task:
            same = task.ever_resolved or task.priority == priority
            return task if same else states.change_priority(task, priority, now)

        changed = await self._change_all(group, change)
        await self._transactions.run(_tell_priority, group, priority, len(changed))
        described = {"taskGroupId": group.group_id, "schedulerId": group.scheduler_id, "newPriority": priority}
        return {**described, "tasksAffected": len(changed), "taskIds": changed}

    async def _permitted(self, call: Call, verb: str) -> Group:
        """Give the group, if the caller may do that to it; its scheduler is in the scope, so that it comes first."""
        group = await self._transactions.read(_find, call.params["taskGroupId"])
        call.require(f"queue:{verb}:{group.scheduler_id}/{group.group_id}")
        return group

    async def _change_all(self, group: Group, change: Callable[[Task, int], Task]) -> Sequence[str]:
        """Change what is not over in a group, piece by piece; gives the names of what was changed."""
        changed: list[str] = []
        after: str | None = ""
        while after is not None:
            now = dates.now(self._clock)
            names, after = await self._transactions.run(self._change_some, group, after, change, now)
            changed += names
        return changed

    def _change_some(
        self, store: Store, group: Group, after: str, change: Callable[[Task, int], Task], now: int
    ) -> tuple[Sequence[str], str | None]:
        """Give who was changed, and after whom to go on; C{None} at the end."""
        tasks = store.groups.unresolved(group.group_id, after, TASKS_AT_ONCE)
        changed = []
        for task in tasks:
            new = task if now > task.deadline else change(task, now)
            self._transactions.keep(store, task, new)
            if new is not task:
                changed.append(task.task_id)
        return changed, tasks[-1].task_id if len(tasks) == TASKS_AT_ONCE else None


def _find(store: Store, group_id: str) -> Group:
    group = store.groups.find(group_id)
    if group is None:
        raise not_found(f"There is no task group {group_id}.")
    return group


def _list(store: Store, group_id: str, after: str, limit: int) -> JSON:
    group = _shown(_find(store, group_id))
    return {**group, **page_of_tasks(*store.groups.tasks(group_id, after, limit))}


def _seal(store: Store, group: Group, now: int) -> Group:
    # Somebody else may have sealed it since it was looked for.
    present = _find(store, group.group_id)
    sealed = present if present.sealed is not None else replace(present, sealed=now)
    if sealed is not present:
        store.groups.seal(group.group_id, now)
        store.messages.append(messages.of_sealed_group(sealed))
    return sealed


def _tell_priority(store: Store, group: Group, priority: str, affected: int) -> None:
    store.messages.append(messages.of_group_priority(group, priority, affected))


def _shown(group: Group) -> JSON:
    sealed = {} if group.sealed is None else {"sealed": dates.write(group.sealed)}
    return {
        "taskGroupId": group.group_id,
        "schedulerId": group.scheduler_id,
        "expires": dates.write(group.expires),
        **sealed,
    }
