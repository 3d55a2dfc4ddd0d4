"""What the page asks for and no service of Taskcluster has: task groups with counts, and YAML read into JSON."""

from __future__ import annotations

from tcworker.embedded.api_service import ApiService
from tcworker.embedded.calls import NOBODY, Call
from tcworker.embedded.faults import ApiError
from tcworker.embedded.ground import Ground
from tcworker.embedded.numbers import LARGEST
from tcworker.embedded.page import groups
from tcworker.embedded.page.groups import STATES
from tcworker.embedded.page.yaml_reader import LONGEST_TEXT, read_yaml
from tcworker.embedded.paging import PAGED, one_page, page_by_number
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import SLUGID, Checker, closed
from tcworker.interfaces import JSON

ROWS_ON_A_PAGE = 200

TEXT = closed({"text": {"type": "string", "maxLength": LONGEST_TEXT}}, required=["text"])


class PageService(ApiService):
    """Answers the page's own calls; needs the queue's tables in the same database."""

    # All that it shows is the queue's.
    schema = ""
    expired = ()

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._threads = ground.threads
        group, scope = "/task-groups/<taskGroupId>", "queue:list-task-group:<taskGroupId>"
        state = {"state": "|".join(STATES)}
        routes = [
            Route("listTaskGroups", "GET", "/task-groups", self._groups, "queue:list-task-group:*", PAGED),
            Route("taskGroup", "GET", group, self._group, scope),
            Route("tasksOfGroup", "GET", f"{group}/tasks", self._tasks, scope, {**PAGED, **state}),
            Route("readYaml", "POST", "/read-yaml", self._read_yaml, body=Checker(TEXT)),
        ]
        super().__init__("page", ground, routes, {"taskGroupId": SLUGID})

    async def _groups(self, call: Call) -> JSON:
        wanted, before = page_by_number(call.query, LARGEST)
        limit = min(wanted, ROWS_ON_A_PAGE)
        found = await self._database.read(groups.list_groups, before, limit + 1)
        return one_page("taskGroups", found, limit)

    async def _group(self, call: Call) -> JSON:
        return await self._database.read(groups.find_group, call.params["taskGroupId"])

    async def _tasks(self, call: Call) -> JSON:
        wanted, after = page_by_number(call.query)
        limit = min(wanted, ROWS_ON_A_PAGE)
        group_id, state = call.params["taskGroupId"], call.query.get("state")
        found = await self._database.read(groups.list_tasks, group_id, state, after, limit + 1)
        return one_page("tasks", found, limit)

    async def _read_yaml(self, call: Call) -> JSON:
        # Only for those who could do something with the task: it takes up to a second of a processor.
        if call.identify().client_id == NOBODY:
            raise ApiError("InsufficientScopes", "Reading YAML is for clients who sign their calls.")
        return {"value": await self._threads.run(read_yaml, call.body["text"])}
