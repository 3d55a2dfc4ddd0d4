"""The index: which task is the one of some name (contracts of the queue, 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote

from tcworker.client.hawk import with_bewit
from tcworker.clocks import wall_seconds
from tcworker.embedded import dates, index_store
from tcworker.embedded.api_service import ApiService
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.faults import not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.index_store import Indexed
from tcworker.embedded.indexing import HIGHEST, PATH, index_completed
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import DATE, SLUGID, Checker, closed
from tcworker.interfaces import JSON

PATTERNS = {"namespace": PATH, "indexPath": PATH}

_INSERT = closed(
    {
        "taskId": {"type": "string", "pattern": SLUGID},
        "rank": {"type": "number", "minimum": -HIGHEST, "maximum": HIGHEST},
        "data": {"type": "object"},
        "expires": DATE,
    },
    required=["taskId", "rank", "data", "expires"],
)

_FIND_SOME = closed({"indexes": {"type": "array", "items": {"type": "string"}, "maxItems": 10000, "default": []}})


class IndexService(ApiService):
    """Puts tasks at paths and finds them there; those that are completed it puts there by itself.

    @param everybody_has: whether a scope is one that everybody has.
    """

    schema = index_store.SCHEMA
    expired = index_store.EXPIRED

    def __init__(self, ground: Ground, everybody_has: Callable[[str], bool]) -> None:
        self._ground = ground
        self._everybody_has = everybody_has
        ground.outbox.join(index_completed)
        super().__init__("index", ground, self._routes(), PATTERNS)

    def _routes(self) -> Sequence[Route]:
        task, artifact = "/task/<namespace>", "/task/<indexPath>/artifacts/<*name>"
        insert, some = Checker(_INSERT), Checker(_FIND_SOME)
        return [
            Route("findTask", "GET", "/task/<indexPath>", self._find, "index:find-task:<indexPath>"),
            Route("findTasksAtIndex", "POST", "/tasks/indexes", self._find_some, query=PAGED, body=some),
            *self._routes_to_list(),
            Route("insertTask", "PUT", task, self._insert, "index:insert-task:<namespace>", body=insert),
            Route("deleteTask", "DELETE", task, self._delete, "index:delete-task:<namespace>"),
            Route("findArtifactFromTask", "GET", artifact, self._find_artifact, "queue:get-artifact:<name>"),
        ]

    def _routes_to_list(self) -> Sequence[Route]:
        spaces, tasks = partial(self._list, "namespaces"), partial(self._list, "tasks")
        spaces_scope, tasks_scope = "index:list-namespaces:", "index:list-tasks:"
        return [
            Route("listNamespaces", "GET", "/namespaces", spaces, spaces_scope, PAGED),
            Route("listNamespaces", "GET", "/namespaces/<namespace>", spaces, f"{spaces_scope}<namespace>", PAGED),
            Route("listTasks", "GET", "/tasks", tasks, tasks_scope, PAGED),
            Route("listTasks", "GET", "/tasks/<namespace>", tasks, f"{tasks_scope}<namespace>", PAGED),
        ]

    @property
    def _now(self) -> int:
        return dates.now(self._ground.clock)

    async def _find(self, call: Call) -> JSON:
        return (await self._task(call)).to_json()

    async def _task(self, call: Call) -> Indexed:
        found = await self._ground.database.read(index_store.find, call.params["indexPath"], self._now)
        if found is None:
            raise not_found("Indexed task not found")
        return found

    async def _find_some(self, call: Call) -> JSON:
        paths = call.body["indexes"]
        call.require({"AllOf": [f"index:find-task:{path}" for path in paths]})
        limit, after = page_of(call.query)
        found = await self._ground.database.read(index_store.find_some, paths, self._now, limit, after)
        return one_page("tasks", found, limit)

    async def _list(self, what: str, call: Call) -> JSON:
        job = index_store.tasks if what == "tasks" else index_store.namespaces
        limit, after = page_of(call.query)
        found = await self._ground.database.read(job, call.params.get("namespace", ""), self._now, limit, after)
        return one_page(what, found, limit)

    async def _insert(self, call: Call) -> JSON:
        body = call.body
        expires = dates.read(body["expires"])
        task = Indexed(call.params["namespace"], body["taskId"], body["rank"], body["data"], expires)
        return (await self._ground.database.run(index_store.put, task)).to_json()

    async def _delete(self, call: Call) -> JSON:
        await self._ground.database.run(index_store.remove, call.params["namespace"])
        return {}

    async def _find_artifact(self, call: Call) -> Reply:
        """Lead to the artifact at the queue, in the name of the server if not everybody may read it."""
        task, name = await self._task(call), call.params["name"]
        url = f"{self._ground.addresses.root_url}/api/queue/v1/task/{task.task_id}/artifacts/{quote(name, safe='')}"
        if not self._everybody_has(f"queue:get-artifact:{name}"):
            until = int(wall_seconds(self._ground.clock) + self._ground.times.index_address)
            url = with_bewit(url, self._ground.server_credentials, until)
        return Reply(303, headers={"location": url})
