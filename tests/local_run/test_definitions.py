"""Files made into tasks of one group."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.queue.definition import DEFINITION
from tcworker.embedded.schemas import Checker
from tcworker.local_run.definitions import LocalTask, make_tasks
from tcworker.local_run.files import TaskFile, UnusableFiles

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAYLOAD = {"command": [["true"]], "maxRunTime": 5}
TASK_ID = "fN1SbArXTPSVFNUvaOlinQ"


def make(*files: tuple[str, Any]) -> list[LocalTask]:
    return make_tasks([TaskFile(path, content) for path, content in files], NOW)


def raising(error: type[Exception]) -> Callable[[int], NoReturn]:
    def refuse(uid: int) -> NoReturn:
        raise error(uid)

    return refuse


class OneFile(SynchronousTestCase):
    def test_a_payload_alone_becomes_what_the_queue_takes(self) -> None:
        (task,) = make(("dir/hello.yml", {"command": [["true"]]}))
        Checker(DEFINITION).check(task.definition)
        self.assertEqual(task.definition["payload"], {"command": [["true"]], "maxRunTime": 3600})
        self.assertEqual((task.name, task.definition["metadata"]["name"]), ("hello", "hello"))

    def test_a_payload_alone_may_have_caches(self) -> None:
        (task,) = make(("a.yml", {"command": [["true"]]}))
        self.assertEqual(task.definition["scopes"], ["generic-worker:cache:*"])
        (task,) = make(("a.yml", {"payload": PAYLOAD}))
        self.assertNotIn("scopes", task.definition)

    def test_its_owner_may_be_somebody_whom_the_machine_does_not_know(self) -> None:
        self.patch(os, "environ", {})
        for error in (KeyError, OSError):
            self.patch(pwd, "getpwuid", raising(error))
            (task,) = make(("a.yml", {"command": [["true"]]}))
            self.assertEqual(task.definition["metadata"]["owner"].partition("@")[0], str(os.getuid()))

    def test_what_a_definition_says_stays(self) -> None:
        own = {"metadata": {"name": "mine"}, "retries": 0, "scopes": ["a:b"], "payload": PAYLOAD}
        (task,) = make(("a.yml", own))
        self.assertEqual(task.definition["metadata"]["name"], "mine")
        self.assertEqual(task.definition["retries"], 0)
        self.assertEqual(task.definition["payload"], PAYLOAD)

    def test_a_definition_without_max_run_time_stays_malformed(self) -> None:
        (task,) = make(("a.yml", {"payload": {"command": []}}))
        self.assertNotIn("maxRunTime", task.definition["payload"])

    def test_every_queue_is_the_one_that_is_here(self) -> None:
        (task,) = make(("a.yml", {"provisionerId": "proj", "workerType": "ci", "payload": PAYLOAD}))
        self.assertEqual(task.definition["taskQueueId"], "local/tcworker-run")
        self.assertNotIn("provisionerId", task.definition)

    def test_a_task_id_of_its_own(self) -> None:
        (task,) = make(("a.yml", {"taskId": TASK_ID, "payload": PAYLOAD}))
        self.assertEqual(task.task_id, TASK_ID)
        self.assertEqual(task.definition["taskGroupId"], TASK_ID)
        self.assertNotIn("taskId", task.definition)


class SeveralFiles(SynchronousTestCase):
    def depends_on(self, name: str) -> list[LocalTask]:
        return make(
            ("x/b.yml", {"dependencies": [name], "payload": PAYLOAD}),
            ("x/a.yml", {"taskId": TASK_ID, **{"payload": PAYLOAD}}),
        )

    def test_dependencies_come_first_and_are_task_ids(self) -> None:
        for name in ("a.yml", "a", "./a.yml", "x/a.yml", TASK_ID):
            first, second = self.depends_on(name)
            self.assertEqual((first.name, second.name), ("a", "b"))
            self.assertEqual(second.dependencies, [TASK_ID])

    def test_are_one_group(self) -> None:
        tasks = self.depends_on("a")
        self.assertEqual(len({task.definition["taskGroupId"] for task in tasks}), 1)

    def test_otherwise_they_keep_their_order(self) -> None:
        tasks = make(*((f"{name}.yml", PAYLOAD) for name in "cab"))
        self.assertEqual([task.name for task in tasks], ["c", "a", "b"])

    def test_names_are_unique(self) -> None:
        tasks = make(("x/a.yml", PAYLOAD), ("y/a.yml", PAYLOAD), ("a.json", PAYLOAD), ("a-2.yml", PAYLOAD))
        self.assertEqual(len({task.name for task in tasks}), 4)

    def test_a_name_beside_the_file_is_nearer_than_another(self) -> None:
        x, _, b = make(
            ("x/a.yml", PAYLOAD), ("y/a.yml", PAYLOAD), ("x/b.yml", {"dependencies": ["a.yml"], "payload": PAYLOAD})
        )
        self.assertEqual(b.dependencies, [x.task_id])


class WhatIsRefused(SynchronousTestCase):
    def faults(self, *files: tuple[str, Any]) -> tuple[str, ...]:
        error: UnusableFiles = self.assertRaises(UnusableFiles, make, *files)
        return error.faults

    def test_neither_definition_nor_payload(self) -> None:
        self.assertIn("a.yml: found neither", self.faults(("a.yml", {"comand": []}))[0])

    def test_every_fault_of_every_file_with_its_place(self) -> None:
        faults = self.faults(
            ("a.yml", {"payload": PAYLOAD, "retries": "many", "priorty": "low"}),
            ("b.yml", {"payload": [], "metadata": {"name": 3}}),
        )
        starts = sorted(fault.split(": found")[0] for fault in faults)
        self.assertEqual(starts, ["a.yml: priorty", "a.yml: retries", "b.yml: metadata.name", "b.yml: payload"])
        self.assertTrue(any("priority" in fault for fault in faults))

    def test_dependencies_of_every_file_beside_its_other_faults(self) -> None:
        faults = self.faults(
            ("a.yml", {"dependencies": ["x", "y"], "payload": PAYLOAD}),
            ("b.yml", {"dependencies": ["z", "a"], "payload": PAYLOAD, "retries": "many"}),
            ("c.yml", {"dependencies": "a", "payload": PAYLOAD}),
        )
        starts = sorted(re.split(":? (found|is no|expected)", fault)[0] for fault in faults)
        self.assertEqual(
            starts,
            [
                "a.yml: dependencies[0]: x",
                "a.yml: dependencies[1]: y",
                "b.yml: dependencies[0]: z",
                "b.yml: retries",
                "c.yml: dependencies",
            ],
        )

    def test_a_task_id_that_is_no_text(self) -> None:
        self.assertIn("taskId: found ['a']", self.faults(("a.yml", {"taskId": ["a"], "payload": PAYLOAD}))[0])

    def test_a_task_id_that_is_none(self) -> None:
        self.assertIn("taskId: found first", self.faults(("a.yml", {"taskId": "first", "payload": PAYLOAD}))[0])

    def test_a_task_id_twice(self) -> None:
        own = {"taskId": TASK_ID, "payload": PAYLOAD}
        self.assertEqual(
            self.faults(("a.yml", own), ("b.yml", own)), (f"b.yml: taskId: {TASK_ID} is that of a.yml, too",)
        )

    def test_a_dependency_that_is_not_there(self) -> None:
        (fault,) = self.faults(("a.yml", {"dependencies": ["b.yml"], "payload": PAYLOAD}))
        self.assertEqual(fault, "a.yml: dependencies[0]: b.yml is no task of this command")

    def test_a_file_that_could_not_be_read_hides_no_faults_of_others(self) -> None:
        needed = ["unread.yml", TASK_ID, "lost.yml"]
        files = [
            TaskFile("unread.yml", {}, ("unread.yml: no such file",)),
            TaskFile("a.yml", {"taskId": "short", "dependencies": needed, "payload": PAYLOAD}),
        ]
        error = self.assertRaises(UnusableFiles, make_tasks, files, NOW)
        # What it would have been is not told as missing, not even a task id that it may hold.
        self.assertEqual(
            [fault.partition(": ")[2] for fault in error.faults],
            [
                "no such file",
                "taskId: found short, expected a slug of 22 characters, or no taskId at all",
                "dependencies[2]: lost.yml is no task of this command",
            ],
        )

    def test_a_dependency_that_could_be_several(self) -> None:
        (fault,) = self.faults(
            ("x/a.yml", PAYLOAD), ("y/a.yml", PAYLOAD), ("z/b.yml", {"dependencies": ["a.yml"], "payload": PAYLOAD})
        )
        self.assertIn("could be any of x/a.yml, y/a.yml", fault)

    def test_dependencies_that_are_no_names(self) -> None:
        for dependencies in ("b.yml", [3], {"b": 1}):
            self.assertIn(
                "a.yml: dependencies: expected a list",
                self.faults(("a.yml", {"dependencies": dependencies, "payload": PAYLOAD}))[0],
            )

    def test_a_circle(self) -> None:
        faults = self.faults(
            ("a.yml", {"dependencies": ["b"], "payload": PAYLOAD}),
            ("b.yml", {"dependencies": ["a"], "payload": PAYLOAD}),
        )
        self.assertIn("a circle among a.yml, b.yml", faults[0])
