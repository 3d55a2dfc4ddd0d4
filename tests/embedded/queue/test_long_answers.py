"""Answers that would be of many megabytes: they come in parts, so that nobody else waits for them to be written."""

from __future__ import annotations

from typing import Any

from tcworker.embedded.queue import claims, task_rows, tasks
from tests.embedded.wire import WORKER, WireTestCase

LONG = {"x": "y" * 2200}
"""Of which two make an answer long enough in these tests."""


class LongAnswers(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        for module in (claims, task_rows, tasks):
            self.patch(module, "LONG_ANSWER", 4096)
        self.first = self.create(payload=LONG)
        self.group = [self.first, *(self.create(payload=LONG, taskGroupId=self.first) for _ in range(4))]

    def pages(self, method: str, path: str, body: Any = None) -> list[list[str]]:
        """Read a list to its end; gives the tasks of each of its pages."""
        pages, token = [], ""
        while not pages or token:
            page = self.ask("queue", method, f"{path}?limit=4{token and f'&continuationToken={token}'}", body)
            pages.append([task.get("taskId") or task["status"]["taskId"] for task in page["tasks"]])
            token = page.get("continuationToken", "")
        return pages

    def test_lists_have_shorter_pages(self) -> None:
        for method, path, body in (
            ("GET", f"/task-group/{self.first}/list", None),
            ("POST", "/tasks", {"taskIds": self.group}),
            ("GET", "/task-queues/prov%2Ftype/pending", None),
        ):
            pages = self.pages(method, path, body)
            self.assertEqual([len(page) for page in pages], [2, 2, 1], path)
            self.assertEqual(sorted(task for page in pages for task in page), sorted(self.group), path)

    def test_a_worker_gets_fewer_at_once_and_nobody_goes_away_with_nothing(self) -> None:
        counts = [
            len(self.ask("queue", "POST", "/claim-work/prov%2Ftype", {**WORKER, "tasks": 32})["tasks"]) for _ in "abc"
        ]
        self.assertEqual(counts, [2, 2, 1])
        self.assertEqual([len(page) for page in self.pages("GET", "/task-queues/prov%2Ftype/claimed")], [2, 2, 1])

    def test_what_waits_is_shared_by_all_who_wait_for_it(self) -> None:
        many = {**WORKER, "tasks": 32}
        for _ in range(3):
            self.ask("queue", "POST", "/claim-work/prov%2Ftype", many)
        waiting = [self.begin("POST", "/api/queue/v1/claim-work/prov%2Ftype", many, self.root) for _ in range(2)]
        for _ in range(2):
            self.create(payload=LONG)
        self.assertEqual([len(pending.answer().json["tasks"]) for pending in waiting], [1, 1])


class ManyTasks(WireTestCase):
    def test_too_many_names_are_refused(self) -> None:
        for service, path, name in (
            ("queue", "/tasks", "taskIds"),
            ("queue", "/tasks/status", "taskIds"),
            ("index", "/tasks/indexes", "indexes"),
        ):
            message = self.refused(service, 400, "InputValidationError", "POST", path, {name: ["x"] * 10_001})
            self.assertIn("has 10001 items, and may have 10000", message)

    def test_a_refusal_does_not_name_all_scopes_that_lack(self) -> None:
        definition = self.definition(scopes=[f"x:{number}" for number in range(10_000)])
        somebody = self.with_scopes("x:1")
        message = self.refused(
            "queue", 403, "InsufficientScopes", "PUT", "/task/" + self.create(), definition, somebody
        )
        self.assertIn("  x:0\n  x:2\n", message)
        self.assertIn("  …\n", message)
        self.assertLess(len(message), 10_000)
