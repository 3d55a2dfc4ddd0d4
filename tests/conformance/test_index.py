"""The index: tasks found by a path (contracts of the queue, 5b)."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import ConformanceTestCase, date, names, new_id, random_name


class IndexTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.index = self.root.index
        self.namespace = f"conformance.{random_name()}"

    def insert(self, path: str, rank: float = 1, task_id: str | None = None, **more: Any) -> str:
        task_id = task_id or new_id()
        self.index.insertTask(path, {"taskId": task_id, "rank": rank, "data": {}, "expires": date(hours=1), **more})
        self.addCleanup(self.index.deleteTask, path)
        return task_id


class Entries(IndexTestCase):
    def test_found_again(self) -> None:
        task_id = new_id()
        entry = {"taskId": task_id, "rank": 3, "data": {"a": 1}, "expires": date(hours=1)}
        made = self.index.insertTask(f"{self.namespace}.a", entry)
        self.addCleanup(self.index.deleteTask, f"{self.namespace}.a")
        self.assertEqual(set(made), {"namespace", "taskId", "rank", "data", "expires"})
        self.assertEqual(
            (made["namespace"], made["taskId"], made["rank"], made["data"]),
            (f"{self.namespace}.a", task_id, 3, {"a": 1}),
        )
        self.assertEqual(self.index.findTask(f"{self.namespace}.a"), made)

    def test_the_highest_rank_stays(self) -> None:
        path = f"{self.namespace}.a"
        first = self.insert(path, 2)
        self.insert(path, 1)
        self.assertEqual(self.index.findTask(path)["taskId"], first)
        for rank in (2, 3):
            task_id = self.insert(path, rank)
            self.assertEqual(self.index.findTask(path)["taskId"], task_id)

    def test_what_is_not_there(self) -> None:
        self.insert(f"{self.namespace}.old", expires=date(minutes=-1))
        for path in (self.namespace, f"{self.namespace}.none", f"{self.namespace}.old"):
            with self.refused("ResourceNotFound"):
                self.index.findTask(path)

    def test_deleted(self) -> None:
        self.insert(f"{self.namespace}.a")
        for _ in range(2):
            self.index.deleteTask(f"{self.namespace}.a")
        with self.refused("ResourceNotFound"):
            self.index.findTask(f"{self.namespace}.a")

    def test_several_at_once(self) -> None:
        made = {self.insert(f"{self.namespace}.{letter}") for letter in "ab"}
        asked = [f"{self.namespace}.{letter}" for letter in "abc"]
        self.assertEqual(set(names(self.index.findTasksAtIndex({"indexes": asked})["tasks"])), made)

    def test_paths_that_are_none(self) -> None:
        for path in ("a..b", ".a", "a.", "a b", "a/b", "x" * 256):
            with self.refused("InvalidRequestArguments"):
                self.index.findTask(path)

    def test_who_may(self) -> None:
        path = f"{self.namespace}.a"
        entry = {"taskId": new_id(), "rank": 1, "data": {}, "expires": date(hours=1)}
        with self.refused("InsufficientScopes"):
            self.limited().index.insertTask(path, entry)
        self.limited(f"index:insert-task:{path}").index.insertTask(path, entry)
        self.addCleanup(self.index.deleteTask, path)
        self.limited(f"index:find-task:{path}").index.findTask(path)

    def test_what_must_be_said(self) -> None:
        entry = {"taskId": new_id(), "rank": 1, "data": {}, "expires": date(hours=1)}
        wrong = [{"taskId": "x"}, {"rank": "1"}, {"data": []}, {"expires": "soon"}, {"more": 1}]
        lacking = [{key: entry[key] for key in entry if key != name} for name in entry]
        for body in [*({**entry, **change} for change in wrong), *lacking]:
            with self.refused("InputValidationError"):
                self.index.insertTask(f"{self.namespace}.a", body)


class Lists(IndexTestCase):
    def test_of_a_namespace(self) -> None:
        for path in ("b", "a", "deep.x", "deep.y", "deeper.z"):
            self.insert(f"{self.namespace}.{path}")
        tasks = self.index.listTasks(self.namespace)["tasks"]
        self.assertEqual(sorted(names(tasks, "namespace")), [f"{self.namespace}.{name}" for name in "ab"])
        spaces = self.index.listNamespaces(self.namespace)["namespaces"]
        self.assertEqual(sorted(names(spaces, "name")), ["deep", "deeper"])
        self.assertEqual(set(names(spaces, "namespace")), {f"{self.namespace}.deep", f"{self.namespace}.deeper"})

    def test_page_by_page(self) -> None:
        for letter in "cbade":
            self.insert(f"{self.namespace}.{letter}")
            self.insert(f"{self.namespace}.{letter}.deep")
        for call, key in ((self.index.listTasks, "tasks"), (self.index.listNamespaces, "namespaces")):
            seen: list[Any] = []
            call(
                params={"namespace": self.namespace},
                paginationLimit=2,
                paginationHandler=lambda page, key=key, seen=seen: seen.extend(page[key]),
            )
            self.assertEqual(sorted(names(seen, "namespace")), [f"{self.namespace}.{letter}" for letter in "abcde"])

    def test_what_has_expired(self) -> None:
        self.insert(f"{self.namespace}.old", expires=date(minutes=-1))
        self.assertEqual(self.index.listTasks(self.namespace)["tasks"], [])

    def test_of_all(self) -> None:
        self.insert(f"{self.namespace}.a")
        for path in ("/namespaces", "/tasks", "/namespaces/"):
            self.assertEqual(self.call("GET", f"/api/index/v1{path}").status, 200, path)


class Tasks(IndexTestCase):
    def test_a_completed_task_is_found_by_its_route(self) -> None:
        path = f"{self.namespace}.auto"
        extra = {"index": {"rank": 7, "data": {"a": 1}, "expires": date(hours=1)}}
        held = self.running(routes=[f"index.{path}"], extra=extra)
        with self.refused("ResourceNotFound"):
            self.index.findTask(path)
        held.complete()
        self.addCleanup(self.index.deleteTask, path)
        self.eventually(lambda: self.call("GET", f"/api/index/v1/task/{path}").status, 200)
        found = self.index.findTask(path)
        self.assertEqual((found["taskId"], found["rank"], found["data"]), (held.task_id, 7, {"a": 1}))

    def test_a_failed_one_is_not(self) -> None:
        failed, completed = (f"{self.namespace}.{name}" for name in ("failed", "completed"))
        self.running(routes=[f"index.{failed}"]).fail()
        self.running(routes=[f"index.{completed}"]).complete()
        self.addCleanup(self.index.deleteTask, completed)
        self.eventually(lambda: self.call("GET", f"/api/index/v1/task/{completed}").status, 200)
        with self.refused("ResourceNotFound"):
            self.index.findTask(failed)

    def test_an_artifact_by_its_path(self) -> None:
        held = self.running()
        reference = {"storageType": "reference", "url": "https://example.com/a", "contentType": "text/plain"}
        for name in ("public/a", "private/a"):
            held.services.queue.createArtifact(*held.run, name, {**reference, "expires": date(hours=1)})
        self.insert(f"{self.namespace}.a", task_id=held.task_id)
        for name in ("public/a", "private/a"):
            answer = self.call("GET", f"/api/index/v1/task/{self.namespace}.a/artifacts/{name}")
            self.assertEqual(answer.status, 303)
            location = answer.headers["location"]
            if location != reference["url"]:
                # By way of the queue, where nobody has to sign.
                location = self.deployment.send("GET", location).headers["location"]
            self.assertEqual(location, reference["url"])
        target = f"/api/index/v1/task/{self.namespace}.a/artifacts/private/a"
        few = self.deployment.issue("queue:get-artifact:private/b")
        self.assertRefused(self.call("GET", target, credentials=few), "InsufficientScopes")
        missing = f"/api/index/v1/task/{self.namespace}.none/artifacts/public/a"
        self.assertRefused(self.call("GET", missing), "ResourceNotFound")
