"""The page's own calls."""

from __future__ import annotations

from typing import Any

import slugid

from tests.embedded.wire import WireTestCase

PAGE = "/api/page/v1"


class PageTestCase(WireTestCase):
    def get(self, path: str) -> Any:
        answer = self.send("GET", PAGE + path).answer()
        self.assertEqual(answer.status, 200, answer.content)
        return answer.json


class Groups(PageTestCase):
    def test_none_at_first(self) -> None:
        self.assertEqual(self.get("/task-groups"), {"taskGroups": []})

    def test_the_newest_come_first_and_in_pages(self) -> None:
        made = [self.create() for _ in range(5)]
        seen: list[str] = []
        path = "/task-groups?limit=2"
        while path:
            page = self.get(path)
            seen += [group["taskGroupId"] for group in page["taskGroups"]]
            token = page.get("continuationToken")
            path = f"/task-groups?limit=2&continuationToken={token}" if token else ""
        self.assertEqual(seen, made[::-1])

    def test_tasks_are_counted_by_state(self) -> None:
        first = self.create()
        for _ in range(2):
            self.create(taskGroupId=first)
        self.create(taskGroupId=first, dependencies=[first])
        claim = self.claim()
        self.ask("queue", "POST", f"/task/{claim['status']['taskId']}/runs/0/failed")
        [group] = self.get("/task-groups")["taskGroups"]
        self.assertEqual(group["states"], {"unscheduled": 1, "pending": 2, "failed": 1})
        self.assertEqual(group["size"], 4)
        self.assertEqual(self.get(f"/task-groups/{first}"), group)

    def test_a_group_is_called_by_its_first_task(self) -> None:
        metadata = {"name": "decide", "description": "", "owner": "o", "source": "https://example.com"}
        first = self.create(metadata=metadata)
        self.create(taskGroupId=first)
        self.assertEqual(self.get(f"/task-groups/{first}")["name"], "decide")

    def test_one_that_is_not_there(self) -> None:
        answer = self.send("GET", f"{PAGE}/task-groups/{slugid.nice()}").answer()
        self.assertRefused(answer, 404, "ResourceNotFound")

    def test_a_token_that_is_none(self) -> None:
        for token in ("x", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
            for path in ("/task-groups", f"/task-groups/{slugid.nice()}/tasks"):
                answer = self.call("GET", f"{PAGE}{path}?continuationToken={token}")
                self.assertEqual((answer.status, answer.code), (400, "InvalidRequestArguments"))


class TasksOfAGroup(PageTestCase):
    def listed(self, path: str) -> list[tuple[str, str]]:
        return [(task["taskId"], task["state"]) for task in self.get(path)["tasks"]]

    def test_in_the_order_in_which_they_were_made(self) -> None:
        first = self.create()
        others = [self.create(taskGroupId=first) for _ in range(3)]
        self.assertEqual(self.listed(f"/task-groups/{first}/tasks"), [(task, "pending") for task in (first, *others)])
        page = self.get(f"/task-groups/{first}/tasks?limit=3")
        more = self.listed(f"/task-groups/{first}/tasks?limit=3&continuationToken={page['continuationToken']}")
        self.assertEqual(more, [(others[-1], "pending")])

    def test_those_in_one_state(self) -> None:
        first = self.create()
        waiting = self.create(taskGroupId=first, dependencies=[first])
        self.assertEqual(self.listed(f"/task-groups/{first}/tasks?state=unscheduled"), [(waiting, "unscheduled")])
        self.assertEqual(self.listed(f"/task-groups/{first}/tasks?state=pending"), [(first, "pending")])
        self.assertEqual(self.listed(f"/task-groups/{first}/tasks?state=failed"), [])

    def test_how_long_a_run_took_and_why_it_ended(self) -> None:
        task_id = self.create()
        self.claim()
        self.reactor.advance(5)
        self.ask("queue", "POST", f"/task/{task_id}/cancel")
        [task] = self.get(f"/task-groups/{task_id}/tasks")["tasks"]
        run = self.status(task_id)["runs"][0]
        self.assertEqual((task["started"], task["resolved"]), (run["started"], run["resolved"]))
        self.assertEqual((task["state"], task["reason"], task["runs"]), ("exception", "canceled", 1))

    def test_states_that_there_are_not(self) -> None:
        answer = self.send("GET", f"{PAGE}/task-groups/{slugid.nice()}/tasks?state=lost").answer()
        self.assertRefused(answer, 400, "InvalidRequestArguments")


class ReadingYaml(PageTestCase):
    def test_it_becomes_json(self) -> None:
        answer = self.call("POST", f"{PAGE}/read-yaml", {"text": "a: [1, yes, 2026-01-01]"})
        self.assertEqual(answer.json, {"value": {"a": [1, True, "2026-01-01"]}})

    def test_what_is_none(self) -> None:
        answer = self.call("POST", f"{PAGE}/read-yaml", {"text": "a: ["})
        self.assertRefused(answer, 400, "InputError")
        self.assertIn("line 1", answer.json["message"])

    def test_not_for_strangers(self) -> None:
        answer = self.begin("POST", f"{PAGE}/read-yaml", {"text": "a"}).answer()
        self.assertRefused(answer, 403, "InsufficientScopes")
