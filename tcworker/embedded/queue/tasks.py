"""Tasks: creating, reading, scheduling and cancelling them (contracts of the queue, 1.2, 1.5 and 1.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import bad_input, conflict
from tcworker.embedded.paging import PAGED, page_by_number, page_of, token_of
from tcworker.embedded.queue import states
from tcworker.embedded.queue.definition import DEFINITION, check_dates, complete, new_task, scopes_to_create
from tcworker.embedded.queue.open_run_store import RANKS
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Entry, Store
from tcworker.embedded.queue.task_rows import LONG_ANSWER
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.sameness import same
from tcworker.embedded.schemas import Checker, closed
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON, ScopeExpression

TASK_IDS = closed({"taskIds": {"type": "array", "items": {"type": "string"}, "maxItems": 10000, "default": []}})
PRIORITY = closed({"newPriority": {"enum": list(RANKS)}}, required=["newPriority"])


class Tasks:
    """Answers the calls about tasks that users and their tools make."""

    def __init__(self, clock: IReactorTime, times: Times, transactions: Transactions) -> None:
        self._clock = clock
        self._times = times
        self._transactions = transactions

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        return [*self._routes_to_read(), *self._routes_to_change()]

    def _routes_to_read(self) -> Sequence[Route]:
        task, many = "/task/<taskId>", Checker(TASK_IDS)
        return [
            Route("task", "GET", task, self._definition, "queue:get-task:<taskId>"),
            Route("tasks", "POST", "/tasks", self._definitions, query=PAGED, body=many),
            Route("status", "GET", f"{task}/status", self._status, "queue:status:<taskId>"),
            Route("statuses", "POST", "/tasks/status", self._statuses, query=PAGED, body=many),
            Route(
                "listDependentTasks",
                "GET",
                f"{task}/dependents",
                self._dependents,
                scopes="queue:list-dependent-tasks:<taskId>",
                query=PAGED,
            ),
        ]

    def _routes_to_change(self) -> Sequence[Route]:
        task = "/task/<taskId>"
        return [
            Route("createTask", "PUT", task, self._create, body=Checker(DEFINITION)),
            Route("scheduleTask", "POST", f"{task}/schedule", self._by_user("schedule", states.schedule_by_user)),
            Route("rerunTask", "POST", f"{task}/rerun", self._by_user("rerun", states.rerun)),
            Route("cancelTask", "POST", f"{task}/cancel", self._by_user("cancel", states.cancel)),
            Route("changeTaskPriority", "POST", f"{task}/priority", self._prioritise, body=Checker(PRIORITY)),
        ]

    async def _create(self, call: Call) -> JSON:
        task_id = call.params["taskId"]
        definition = complete(task_id, call.body)
        call.require(scopes_to_create(definition))
        now = dates.now(self._clock)
        check_dates(definition, now)
        task = await self._transactions.run(self._add, new_task(task_id, definition), definition, now)
        return {"status": task.status()}

    def _add(self, store: Store, task: Task, definition: JSON, now: int) -> Task:
        _check_group(store, task)
        known = store.find_task(task.task_id)
        if known is not None:
            if not same(store.definition(task.task_id), definition):
                raise conflict(f"Task {task.task_id} exists with another definition.")
            self._transactions.tell_created(store, known)
            return known
        # Kept before its dependencies are looked at: one on itself is allowed, and waits for ever.
        store.add_task(task, definition)
        store.groups.join(task.group_id, task.scheduler_id, task.expires)
        store.workers.saw_queue(task.task_queue_id, now)
        store.put_on_agenda(Entry(dates.after(task.deadline, self._times.deadline_delay), "deadline", task.task_id))
        self._transactions.tell_created(store, task)
        return self._schedule_unless_waiting(store, task, definition["dependencies"], now)

    def _schedule_unless_waiting(self, store: Store, task: Task, required: Sequence[str], now: int) -> Task:
        if required:
            store.dependencies.add(task, required)
            _check_dependencies(store, task)
            if store.dependencies.waits(task.task_id):
                return task
        scheduled = states.schedule(task, now)
        self._transactions.keep(store, task, scheduled)
        return scheduled

    async def _definition(self, call: Call) -> JSON:
        return await self._transactions.read(Store.definition, call.params["taskId"])

    async def _status(self, call: Call) -> JSON:
        return {"status": (await self._transactions.read(Store.task, call.params["taskId"])).status()}

    async def _definitions(self, call: Call) -> JSON:
        found, more = await self._many(call, "get-task", _definitions)
        return {"tasks": [{"taskId": task_id, "task": task} for task_id, task in found], **more}

    async def _statuses(self, call: Call) -> JSON:
        found, more = await self._many(call, "status", _statuses)
        return {"statuses": [{"taskId": task_id, "status": status} for task_id, status in found], **more}

    async def _many(
        self, call: Call, verb: str, find: Callable[[Store, Sequence[str]], tuple[Sequence[tuple[str, JSON]], int]]
    ) -> tuple[Sequence[tuple[str, JSON]], JSON]:
        """Give what is found of a page of tasks, and the token of the next page."""
        task_ids = call.body["taskIds"]
        call.require({"AllOf": [f"queue:{verb}:{task_id}" for task_id in task_ids]})
        limit, first = page_by_number(call.query)
        found, count = await self._transactions.read(find, task_ids[first : first + limit])
        last = first + count
        return found, {"continuationToken": token_of(str(last))} if last < len(task_ids) else {}

    async def _dependents(self, call: Call) -> JSON:
        task_id = call.params["taskId"]
        limit, after = page_of(call.query)
        return {"taskId": task_id, **await self._transactions.read(_dependents, task_id, after, limit)}

    def _by_user(self, verb: str, change: Callable[[Task, int], Task]) -> Callable[[Call], Awaitable[JSON]]:
        """Give the handler of a change that somebody may make who may do so in the task's group or project."""

        async def handle(call: Call) -> JSON:
            task = await self._transactions.read(Store.task, call.params["taskId"])
            # The scopes depend on the task, so that it is looked for first, by whomever.
            call.require(_scopes_to_change(verb, task))
            return await self._changed(call, change)

        return handle

    async def _prioritise(self, call: Call) -> JSON:
        task = await self._transactions.read(Store.task, call.params["taskId"])
        change = "queue:change-task-priority"
        call.require({"AnyOf": [f"{change}:{task.task_id}", f"{change}-in-queue:{task.task_queue_id}"]})
        return await self._changed(call, states.change_priority, call.body["newPriority"])

    async def _changed(self, call: Call, change: Callable[..., Task], *args: Any) -> JSON:
        now = dates.now(self._clock)
        task = await self._transactions.run(self._change, call.params["taskId"], change, *args, now)
        return {"status": task.status()}

    def _change(self, store: Store, task_id: str, change: Callable[..., Task], *args: Any) -> Task:
        before = store.task(task_id)
        after = change(before, *args)
        self._transactions.keep(store, before, after)
        if after is before and _is_repeated(change, after):
            self._transactions.tell_again(store, after, len(after.runs) - 1)
        return after


def _is_repeated(change: Callable[..., Task], task: Task) -> bool:
    """Whether a change that changes nothing was made before, so that its message is sent once more."""
    if change is states.cancel:
        return task.runs[-1].reason_resolved == "canceled"
    return change is states.rerun and task.state == "pending"


def page_of_tasks(found: Sequence[tuple[Task, JSON]], limit: int) -> JSON:
    """Give a page of tasks as they are listed, and the token of the next one if more than so many were found."""
    tasks = [{"status": task.status(), "task": definition} for task, definition in found[:limit]]
    return {"tasks": tasks, **({"continuationToken": token_of(found[limit - 1][0].task_id)} if found[limit:] else {})}


def _scopes_to_change(verb: str, task: Task) -> ScopeExpression:
    group = f"{task.scheduler_id}/{task.group_id}"
    return {
        "AnyOf": [
            f"queue:{verb}-task:{group}/{task.task_id}",
            f"queue:{verb}-task-in-project:{task.project_id}",
            {"AllOf": [f"queue:{verb}-task", f"assume:scheduler-id:{group}"]},
        ]
    }


def _check_group(store: Store, task: Task) -> None:
    group = store.groups.find(task.group_id)
    if group is None:
        return
    if group.scheduler_id != task.scheduler_id:
        raise conflict(f"Task group {task.group_id} has schedulerId {group.scheduler_id}, not {task.scheduler_id}.")
    if group.sealed is not None:
        raise conflict(f"Task group {task.group_id} is sealed: it takes no more tasks.")


def _check_dependencies(store: Store, task: Task) -> None:
    unfit = store.dependencies.unfit(task)
    if unfit is None:
        return
    required, exists = unfit
    if exists:
        raise bad_input(f"Task {required} expires before the deadline of task {task.task_id}, which depends on it.")
    raise bad_input(f"There is no task {required}, on which task {task.task_id} depends.")


def _definitions(store: Store, task_ids: Sequence[str]) -> tuple[Sequence[tuple[str, JSON]], int]:
    """Give what is found, and of how many: an answer has room for so much."""
    found: list[tuple[str, JSON]] = []
    size = 0
    for task_id in task_ids:
        if size > LONG_ANSWER:
            break
        size += store.size(task_id)
        found.append((task_id, store.find_definition(task_id)))
    return [one for one in found if one[1] is not None], len(found)


def _statuses(store: Store, task_ids: Sequence[str]) -> tuple[Sequence[tuple[str, JSON]], int]:
    found = ((task_id, store.find_task(task_id)) for task_id in task_ids)
    return [(task_id, task.status()) for task_id, task in found if task], len(task_ids)


def _dependents(store: Store, task_id: str, after: str, limit: int) -> JSON:
    store.task(task_id)
    return page_of_tasks(*store.dependencies.dependents(task_id, after, limit))
