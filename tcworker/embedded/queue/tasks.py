"""Tasks: creating, reading, resolving and cancelling them (contracts of the queue, 1.2, 1.5 and 1.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import bad_input, conflict, not_found
from tcworker.embedded.paging import PAGED, page_of, token_of
from tcworker.embedded.queue import states
from tcworker.embedded.queue.agenda import satisfies
from tcworker.embedded.queue.definition import DEFINITION, check_dates, complete, new_task, scopes_to_create
from tcworker.embedded.queue.states import Task
from tcworker.embedded.queue.store import Entry, Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import SLUGID, Checker, closed
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON, ScopeExpression

REASONS = ("worker-shutdown", "malformed-payload", "resource-unavailable", "internal-error", "intermittent-task")
EXCEPTION = closed({"reason": {"enum": list(REASONS)}}, "reason")
TASK_IDS = closed({"taskIds": {"type": "array", "items": {"type": "string", "pattern": SLUGID}}}, "taskIds")


class Tasks:
    """Answers the calls about tasks."""

    def __init__(self, clock: IReactorTime, times: Times, transactions: Transactions) -> None:
        self._clock = clock
        self._times = times
        self._transactions = transactions

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        return [*self._routes_of_users(), *self._routes_of_workers()]

    def _routes_of_users(self) -> Sequence[Route]:
        task = "/task/<taskId>"
        many = Checker(TASK_IDS)
        return [
            Route("createTask", "PUT", task, self._create, body=Checker(DEFINITION)),
            Route("task", "GET", task, self._definition, "queue:get-task:<taskId>"),
            Route("tasks", "POST", "/tasks", self._definitions, query=PAGED, body=many),
            Route("status", "GET", f"{task}/status", self._status, "queue:status:<taskId>"),
            Route("statuses", "POST", "/tasks/status", self._statuses, query=PAGED, body=many),
            Route("scheduleTask", "POST", f"{task}/schedule", self._by_user("schedule", _schedule)),
            Route("rerunTask", "POST", f"{task}/rerun", self._by_user("rerun", states.rerun)),
            Route("cancelTask", "POST", f"{task}/cancel", self._by_user("cancel", states.cancel)),
            Route(
                *("listTaskGroup", "GET", "/task-group/<taskGroupId>/list", self._list_group),
                scopes="queue:list-task-group:<taskGroupId>",
                query=PAGED,
            ),
        ]

    def _routes_of_workers(self) -> Sequence[Route]:
        run, scope = "/task/<taskId>/runs/<runId>", "queue:resolve-task:<taskId>/<runId>"
        return [
            Route("reportCompleted", "POST", f"{run}/completed", self._completed, scope),
            Route("reportFailed", "POST", f"{run}/failed", self._failed, scope),
            Route("reportException", "POST", f"{run}/exception", self._exception, scope, body=Checker(EXCEPTION)),
        ]

    async def _create(self, call: Call) -> JSON:
        task_id = call.params["taskId"]
        definition = complete(task_id, call.body)
        call.require(scopes_to_create(definition))
        check_dates(definition, dates.now(self._clock))
        task = await self._transactions.run(self._add, new_task(task_id, definition), definition)
        return {"status": task.status()}

    def _add(self, store: Store, task: Task, definition: JSON) -> Task:
        _check_group(store, task)
        known = store.find_task(task.task_id)
        if known is not None:
            if store.definition(task.task_id) != definition:
                raise conflict(f"Task {task.task_id} exists with another definition.")
            return known
        # Kept before its dependencies are looked at: one on itself is allowed, and waits for ever.
        store.add_task(task, definition)
        store.join_group(task.group_id, task.scheduler_id, task.expires)
        store.put_on_agenda(Entry(task.deadline + int(self._times.deadline_delay * 1000), "deadline", task.task_id))
        return self._schedule_unless_waiting(store, task, definition["dependencies"])

    def _schedule_unless_waiting(self, store: Store, task: Task, required: Sequence[str]) -> Task:
        store.add_dependencies(task.task_id, required)
        for task_id in required:
            if satisfies(_dependency(store, task, task_id), task):
                store.satisfy(task_id, task.task_id)
        if store.waits(task.task_id):
            return task
        scheduled = states.schedule(task, dates.now(self._clock))
        self._transactions.keep(store, task, scheduled)
        return scheduled

    async def _definition(self, call: Call) -> JSON:
        return await self._transactions.run(Store.definition, call.params["taskId"])

    async def _definitions(self, call: Call) -> JSON:
        call.require({"AllOf": [f"queue:get-task:{task_id}" for task_id in call.body["taskIds"]]})
        found = await self._transactions.run(_find_all, call.body["taskIds"])
        return {"tasks": [{"taskId": task.task_id, "task": definition} for task, definition in found]}

    async def _status(self, call: Call) -> JSON:
        return {"status": (await self._transactions.run(Store.task, call.params["taskId"])).status()}

    async def _statuses(self, call: Call) -> JSON:
        call.require({"AllOf": [f"queue:status:{task_id}" for task_id in call.body["taskIds"]]})
        found = await self._transactions.run(_find_all, call.body["taskIds"])
        return {"statuses": [{"taskId": task.task_id, "status": task.status()} for task, _ in found]}

    async def _list_group(self, call: Call) -> JSON:
        group_id = call.params["taskGroupId"]
        limit, after = page_of(call.query)
        group, found = await self._transactions.run(_read_group, group_id, after, limit)
        tasks = [{"status": task.status(), "task": definition} for task, definition in found[:limit]]
        more = {"continuationToken": token_of(found[limit - 1][0].task_id)} if len(found) > limit else {}
        return {**group, "tasks": tasks, **more}

    def _by_user(self, verb: str, change: Callable[[Task, int], Task]) -> Callable[[Call], Awaitable[JSON]]:
        """Give the handler of a change that somebody may make who may do so in the task's group or project."""

        async def handle(call: Call) -> JSON:
            task = await self._transactions.run(Store.task, call.params["taskId"])
            # The scopes depend on the task, so that it is looked for first, by whomever.
            call.require(_scopes_to_change(verb, task))
            return await self._changed(call, change, dates.now(self._clock))

        return handle

    async def _completed(self, call: Call) -> JSON:
        # Workers of old say so in the body when it failed.
        failed = isinstance(call.body, dict) and call.body.get("success") is False
        return await self._reported(call, states.report, "failed" if failed else "completed")

    async def _failed(self, call: Call) -> JSON:
        return await self._reported(call, states.report, "failed")

    async def _exception(self, call: Call) -> JSON:
        return await self._reported(call, states.report_exception, call.body["reason"])

    async def _reported(self, call: Call, change: Callable[[Task, int, str, int], Task], what: str) -> JSON:
        return await self._changed(call, change, int(call.params["runId"]), what, dates.now(self._clock))

    async def _changed(self, call: Call, change: Callable[..., Task], *args: Any) -> JSON:
        return {"status": (await self._transactions.run(self._change, call.params["taskId"], change, *args)).status()}

    def _change(self, store: Store, task_id: str, change: Callable[..., Task], *args: Any) -> Task:
        before = store.task(task_id)
        after = change(before, *args)
        self._transactions.keep(store, before, after)
        return after


def _schedule(task: Task, now: int) -> Task:
    if now > task.deadline:
        raise conflict(f"The deadline of task {task.task_id} is over.")
    return states.schedule(task, now)


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
    group = store.group(task.group_id)
    if group is None:
        return
    if group["scheduler_id"] != task.scheduler_id:
        raise conflict(f"Task group {task.group_id} has schedulerId {group['scheduler_id']}, not {task.scheduler_id}.")
    if group["sealed"] is not None:
        raise conflict(f"Task group {task.group_id} is sealed: it takes no more tasks.")


def _dependency(store: Store, task: Task, task_id: str) -> Task:
    required = store.find_task(task_id)
    if required is None:
        raise bad_input(f"There is no task {task_id}, on which task {task.task_id} depends.")
    if required.expires < task.deadline:
        raise bad_input(f"Task {task_id} expires before the deadline of task {task.task_id}, which depends on it.")
    return required


def _find_all(store: Store, task_ids: Sequence[str]) -> Sequence[tuple[Task, JSON]]:
    found = [store.find_task(task_id) for task_id in task_ids]
    return [(task, store.definition(task.task_id)) for task in found if task is not None]


def _read_group(store: Store, group_id: str, after: str, limit: int) -> tuple[JSON, Sequence[tuple[Task, JSON]]]:
    group = store.group(group_id)
    if group is None:
        raise not_found(f"There is no task group {group_id}.")
    described = {
        "taskGroupId": group_id,
        "schedulerId": group["scheduler_id"],
        "expires": dates.write(group["expires"]),
        **({"sealed": dates.write(group["sealed"])} if group["sealed"] is not None else {}),
    }
    return described, store.tasks_of_group(group_id, after, limit + 1)
