"""Task definitions: what createTask takes, fills in and refuses (contracts of the queue, 1.5)."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.case import QUEUE, ConformanceTestCase, date, names, new_id, random_name, when


class DefinitionTestCase(ConformanceTestCase):
    def wrong(self, code: str, **change: Any) -> str:
        """Try to create a task that is refused; gives the taskId."""
        task_id = new_id()
        with self.refused(code):
            self.queue.createTask(task_id, self.definition(**change))
        with self.refused("ResourceNotFound"):
            self.queue.status(task_id)
        return task_id


class Defaults(DefinitionTestCase):
    def test_every_field_is_filled_in(self) -> None:
        given = self.definition()
        del given["expires"]
        task_id = new_id()
        self.queue.createTask(task_id, given)
        task = self.queue.task(task_id)
        provisioner_id, worker_type = self.task_queue.split("/")
        dates = {name: task.pop(name) for name in ("created", "deadline", "expires")}
        self.assertEqual(
            task,
            {
                "taskQueueId": self.task_queue,
                "provisionerId": provisioner_id,
                "workerType": worker_type,
                "schedulerId": "-",
                "projectId": "none",
                "taskGroupId": task_id,
                "dependencies": [],
                "requires": "all-completed",
                "routes": [],
                "priority": "lowest",
                "retries": 5,
                "scopes": [],
                "payload": {},
                "metadata": given["metadata"],
                "tags": {},
                "extra": {},
            },
        )
        for value in dates.values():
            self.assertRegex(value, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertAlmostEqual(when(dates["created"]), when(given["created"]), 2)
        self.assertAlmostEqual(when(dates["expires"]) - when(dates["deadline"]), 365 * 86400, delta=86400)

    def test_a_status_shows_what_was_asked_for(self) -> None:
        group = new_id()
        more = {"schedulerId": random_name("s"), "projectId": "conformance/a.b", "taskGroupId": group}
        status = self.status(self.create(priority="very-high", retries=0, **more))
        self.assertEqual(
            set(status),
            {"taskId", "provisionerId", "workerType", "taskQueueId", "schedulerId", "projectId", "taskGroupId"}
            | {"priority", "deadline", "expires", "retriesLeft", "state", "runs"},
        )
        self.assertEqual({name: status[name] for name in more}, more)
        self.assertEqual((status["priority"], status["retriesLeft"]), ("very-high", 0))

    def test_a_task_queue_by_its_parts(self) -> None:
        provisioner_id, worker_type = self.task_queue.split("/")
        parts = {"provisionerId": provisioner_id, "workerType": worker_type}
        for given in (parts, {**parts, "taskQueueId": self.task_queue}):
            definition = {**self.definition(), **given}
            if "taskQueueId" not in given:
                del definition["taskQueueId"]
            task_id = new_id()
            self.assertEqual(self.queue.createTask(task_id, definition)["status"]["taskQueueId"], self.task_queue)

    def test_several_tasks_are_read_at_once(self) -> None:
        task_ids = [self.create(), self.create()]
        asked = {"taskIds": [*task_ids, new_id()]}
        tasks = {item["taskId"]: item["task"] for item in self.queue.tasks(asked)["tasks"]}
        self.assertEqual(tasks, {task_id: self.queue.task(task_id) for task_id in task_ids})
        statuses = {item["taskId"]: item["status"] for item in self.queue.statuses(asked)["statuses"]}
        self.assertEqual(statuses, {task_id: self.status(task_id) for task_id in task_ids})

    def test_and_page_by_page(self) -> None:
        task_ids = {self.create() for _ in range(3)}
        for call, key in ((self.queue.tasks, "tasks"), (self.queue.statuses, "statuses")):
            seen: list[Any] = []
            call(
                payload={"taskIds": sorted(task_ids)},
                paginationLimit=2,
                paginationHandler=lambda page, key=key, seen=seen: seen.append(names(page[key])),
            )
            self.assertEqual([len(page) for page in seen], [2, 1])
            self.assertEqual({*seen[0], *seen[1]}, task_ids)


class Repeats(DefinitionTestCase):
    def test_the_same_again_answers_how_things_are_now(self) -> None:
        task_id, definition = new_id(), self.definition()
        self.queue.createTask(task_id, definition)
        self.claim()
        self.assertEqual(self.queue.createTask(task_id, definition)["status"], self.status(task_id))
        self.assertEqual(self.status(task_id)["state"], "running")

    def test_the_same_in_other_words(self) -> None:
        task_id = self.create()
        # What was left out is as good as its default, and a date as good in any form.
        shown = self.queue.task(task_id)
        self.assertEqual(self.queue.createTask(task_id, shown)["status"], self.status(task_id))

    def test_too_late(self) -> None:
        task_id, definition = new_id(), self.definition(created=date(minutes=-15, seconds=2))
        for _ in range(2):
            self.queue.createTask(task_id, definition)
        time.sleep(2.2)
        with self.refused("InputError"):
            self.queue.createTask(task_id, definition)

    def test_another_definition(self) -> None:
        task_id, definition = new_id(), self.definition()
        self.queue.createTask(task_id, definition)
        for change in ({"payload": {"a": 1}}, {"priority": "high"}, {"retries": 1}, {"deadline": date(hours=1.5)}):
            with self.refused("RequestConflict"):
                self.queue.createTask(task_id, {**definition, **change})

    def test_it_can_be_created_after_it_was_refused(self) -> None:
        task_id = self.wrong("InputError", dependencies=[new_id()])
        self.queue.createTask(task_id, self.definition())


class Refusals(DefinitionTestCase):
    def test_values_that_no_field_has(self) -> None:
        wrong: list[dict[str, Any]] = [
            {"priority": "normal"},
            {"retries": 50},
            {"retries": -1},
            {"retries": 1.5},
            {"requires": "all"},
            {"schedulerId": "a.b"},
            {"schedulerId": ""},
            {"schedulerId": "x" * 39},
            {"projectId": ""},
            {"projectId": "a b"},
            {"taskGroupId": "abc"},
            {"dependencies": ["abc"]},
            {"dependencies": [new_id()] * 2},
            {"dependencies": [new_id() for _ in range(10_001)]},
            {"routes": ["same", "same"]},
            {"routes": [""]},
            {"routes": ["x" * 250]},
            {"routes": [f"route.{n}" for n in range(65)]},
            {"scopes": ["é"]},
            {"scopes": [1]},
            {"payload": []},
            {"payload": None},
            {"tags": {"a": 1}},
            {"tags": {"a": "x" * 4097}},
            {"extra": []},
            {"created": "yesterday"},
            {"deadline": "2030-01-01"},
            {"taskQueueId": "no-slash"},
            {"taskQueueId": "a/UPPER"},
            {"taskQueueId": "a/ends-"},
            {"taskQueueId": "a/b/c"},
            {"unknown": 1},
        ]
        for change in wrong:
            with self.subTest(change=str(change)[:60]):
                self.wrong("InputValidationError", **change)

    def test_fields_that_must_be_there(self) -> None:
        for name in ("created", "deadline", "payload", "metadata"):
            definition = self.definition()
            del definition[name]
            with self.refused("InputValidationError"):
                self.queue.createTask(new_id(), definition)

    def test_metadata(self) -> None:
        good = self.definition()["metadata"]
        lacking = [{key: good[key] for key in good if key != name} for name in good]
        wrong = [{"source": "ftp://example.com"}, {"name": "x" * 256}, {"owner": "x" * 256}, {"more": ""}]
        for metadata in [*lacking, *({**good, **change} for change in wrong)]:
            self.wrong("InputValidationError", metadata=metadata)
        for source in ("https://example.com/", "http://a", "ssh://a", "git@example.com:a/b"):
            self.create(metadata={**good, "source": source})

    def test_a_task_queue_that_is_not_clear(self) -> None:
        provisioner_id, worker_type = self.task_queue.split("/")
        given = self.definition()
        del given["taskQueueId"]
        for parts in ({}, {"provisionerId": provisioner_id}, {"workerType": worker_type}):
            with self.refused("InputError"):
                self.queue.createTask(new_id(), {**given, **parts})
        self.wrong("InputError", provisionerId="another", workerType=worker_type)
        self.wrong("InputError", provisionerId=provisioner_id, workerType="another")

    def test_dates_that_do_not_go_together(self) -> None:
        wrong = [
            {"created": date(minutes=-16)},
            {"created": date(minutes=16)},
            {"deadline": date(minutes=-1), "created": date(minutes=-2)},
            {"created": date(minutes=5), "deadline": date(minutes=4)},
            {"deadline": date(days=5, minutes=16), "expires": date(days=9)},
            {"expires": date(minutes=59)},
        ]
        for change in wrong:
            with self.subTest(change=change):
                self.wrong("InputError", **change)

    def test_dates_at_the_edge(self) -> None:
        self.create(created=date(minutes=-14))
        self.create(created=date(minutes=14))
        self.create(deadline=date(days=5, minutes=10), expires=date(days=6))
        deadline = date(hours=1)
        self.create(deadline=deadline, expires=deadline)

    def test_scopes_that_nobody_can_have(self) -> None:
        self.wrong("InputError", scopes=["conformance:**"])
        self.create(scopes=["conformance:*", "conformance:*"])

    def test_a_task_id_that_is_none(self) -> None:
        for task_id in ("abc", new_id() + "A", "A" * 22):
            answer = self.call("PUT", f"{QUEUE}/task/{task_id}", self.definition())
            self.assertRefused(answer, "InvalidRequestArguments")


class Scopes(DefinitionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.needed = [
            f"queue:create-task:lowest:{self.task_queue}",
            "queue:create-task:project:none",
            "queue:scheduler-id:-",
        ]

    def create_with(self, having: list[str], **more: Any) -> Any:
        return self.limited(*having).queue.createTask(new_id(), self.definition(**more))

    def test_what_is_needed(self) -> None:
        self.create_with(self.needed)
        for lacking in self.needed:
            with self.refused("InsufficientScopes") as said:
                self.create_with([scope for scope in self.needed if scope != lacking])
            self.assertIn(lacking, said[0])

    def test_a_higher_priority_includes_the_lower(self) -> None:
        medium = [f"queue:create-task:medium:{self.task_queue}", *self.needed[1:]]
        for priority in ("lowest", "very-low", "low", "medium"):
            self.create_with(medium, priority=priority)
        for priority in ("high", "very-high", "highest"):
            with self.refused("InsufficientScopes"):
                self.create_with(medium, priority=priority)

    def test_what_the_task_asks_for_itself(self) -> None:
        for more, scope in (
            ({"scopes": ["conformance:a"]}, "conformance:a"),
            ({"routes": ["conformance.a"]}, "queue:route:conformance.a"),
        ):
            with self.refused("InsufficientScopes"):
                self.create_with(self.needed, **more)
            self.create_with([*self.needed, scope], **more)

    def test_project_and_scheduler(self) -> None:
        scheduler_id = random_name("s")
        more = {"projectId": "conformance", "schedulerId": scheduler_id}
        with self.refused("InsufficientScopes"):
            self.create_with(self.needed, **more)
        own = ["queue:create-task:project:conformance", f"queue:scheduler-id:{scheduler_id}"]
        self.create_with([self.needed[0], *own], **more)

    def test_schedule_rerun_and_cancel(self) -> None:
        task_id = self.create(schedulerId="conformance", projectId="conformance")
        for verb, method in (("schedule", "scheduleTask"), ("rerun", "rerunTask"), ("cancel", "cancelTask")):
            group = f"conformance/{task_id}"
            ways = [
                [f"queue:{verb}-task:{group}/{task_id}"],
                [f"queue:{verb}-task-in-project:conformance"],
                [f"queue:{verb}-task", f"assume:scheduler-id:{group}"],
            ]
            for way in ways:
                getattr(self.limited(*way).queue, method)(task_id)
            with self.refused("InsufficientScopes"):
                getattr(self.limited(f"queue:{verb}-task").queue, method)(task_id)
