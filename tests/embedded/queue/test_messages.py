"""Which message each change of a task makes: its routing key, what it says (contracts of the queue, 2.2 and 2.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from taskcluster import QueueEvents
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import dates
from tcworker.embedded.outbox import Message
from tcworker.embedded.queue import messages, states
from tcworker.embedded.queue.messages import About, Group
from tcworker.embedded.queue.states import Run, Task

ABOUT = About({"kind": "test"}, ("index.a.b", "mine"))
NEW = Task("taskid", "prov/type", "sched", "none", "groupid", "low", 100, 200, 1, 1, "all-completed")
PENDING = states.schedule(NEW, 1)
RUNNING = states.claim(PENDING, 0, "group", "worker", 2, 50)
COMPLETED = states.report(RUNNING, 0, "completed", 9)
FAILED = states.report(RUNNING, 0, "failed", 9)
BROKEN = states.report_exception(RUNNING, 0, "internal-error", 9)
RETRIED = states.report_exception(RUNNING, 0, "worker-shutdown", 9)
WORKER = {"workerGroup": "group", "workerId": "worker"}
OPEN = Group("groupid", "sched", 200)


def key(run: str = "_", worker: str = "_._") -> str:
    return f"primary.taskid.{run}.{worker}.prov.type.sched.groupid._"


def of(before: Task, after: Task) -> list[tuple[str, str]]:
    return [(message.exchange, message.routing_key) for message in messages.of_change(before, after, ABOUT)]


class ChangesOfATask(SynchronousTestCase):
    def test_each_has_its_message(self) -> None:
        by_worker = key("0", "group.worker")
        for before, after, exchange, routing_key in (
            (NEW, PENDING, "task-pending", key("0")),
            (PENDING, RUNNING, "task-running", by_worker),
            (RUNNING, COMPLETED, "task-completed", by_worker),
            (RUNNING, FAILED, "task-failed", by_worker),
            (RUNNING, BROKEN, "task-exception", by_worker),
            (NEW, states.cancel(NEW, 9), "task-exception", key("0")),
            (PENDING, states.cancel(PENDING, 9), "task-exception", key("0")),
            (RUNNING, states.cancel(RUNNING, 9), "task-exception", by_worker),
            (NEW, states.pass_deadline(NEW, 101), "task-exception", key("0")),
            (FAILED, states.rerun(FAILED, 9), "task-pending", key("1")),
        ):
            self.assertEqual(of(before, after), [(exchange, routing_key)])

    def test_a_retry_is_an_end_and_then_another_run(self) -> None:
        both = [("task-exception", key("0", "group.worker")), ("task-pending", key("1"))]
        self.assertEqual(of(RUNNING, RETRIED), both)
        self.assertEqual(of(RUNNING, states.expire_claim(RUNNING, 0, 50, 51)), both)

    def test_a_deadline_that_passes_does_not_say_who_ran_it(self) -> None:
        [message] = messages.of_change(RUNNING, states.pass_deadline(RUNNING, 101), ABOUT)
        self.assertEqual(message.routing_key, key("0"))
        self.assertFalse(WORKER.keys() & message.payload.keys())

    def test_a_longer_claim_is_no_news(self) -> None:
        self.assertEqual(of(RUNNING, states.reclaim(RUNNING, 0, 3, 90)), [])

    def test_a_priority(self) -> None:
        [message] = messages.of_change(RUNNING, replace(RUNNING, priority="high"), ABOUT)
        self.assertEqual((message.exchange, message.routing_key), ("task-priority-changed", key()))
        self.assertEqual((message.payload["oldPriority"], message.payload["newPriority"]), ("low", "high"))

    def test_a_new_task_is_told_of_as_it_was_before_its_first_run(self) -> None:
        message = messages.of_creation(PENDING, ABOUT)
        self.assertEqual((message.exchange, message.routing_key), ("task-defined", key()))
        self.assertEqual((message.payload["status"]["runs"], message.payload["status"]["state"]), ([], "unscheduled"))


class WhatTheySay(SynchronousTestCase):
    def said(self, before: Task, after: Task) -> Any:
        return messages.of_change(before, after, ABOUT)[-1].payload

    def test_of_every_task(self) -> None:
        payload = self.said(NEW, PENDING)
        expected = {"version": 1, "status": PENDING.status(), "runId": 0, "task": {"tags": {"kind": "test"}}}
        self.assertEqual(payload, expected)

    def test_of_a_run_that_somebody_has(self) -> None:
        running, completed = self.said(PENDING, RUNNING), self.said(RUNNING, COMPLETED)
        self.assertEqual({**running, **WORKER, "takenUntil": dates.write(50)}, running)
        self.assertEqual({**completed, **WORKER}, completed)
        self.assertNotIn("takenUntil", completed)

    def test_all_messages_of_one_change_have_its_whole_result(self) -> None:
        told = messages.of_change(RUNNING, RETRIED, ABOUT)
        self.assertEqual([message.payload["status"] for message in told], [RETRIED.status()] * 2)

    def test_of_an_artifact(self) -> None:
        artifact = {"storageType": "link", "name": "public/a", "expires": dates.write(9), "contentType": "a/b"}
        message = messages.of_artifact(BROKEN, 0, artifact, ABOUT)
        expected = {"version": 1, "status": BROKEN.status(), "runId": 0, **WORKER, "artifact": artifact}
        self.assertEqual((message.exchange, message.payload), ("artifact-created", expected))
        self.assertEqual(message.routing_key, key("0", "group.worker"))

    def test_of_groups(self) -> None:
        named, expires = {"version": 1, "taskGroupId": "groupid", "schedulerId": "sched"}, {"expires": dates.write(200)}
        sealed = replace(OPEN, sealed=7)
        for message, exchange, said in (
            (messages.of_resolved_group(OPEN), "resolved", expires),
            (messages.of_sealed_group(sealed), "sealed", {**expires, "sealed": dates.write(7)}),
            (
                messages.of_group_priority(OPEN, "high", 3),
                "priority-changed",
                {"newPriority": "high", "tasksAffected": 3},
            ),
        ):
            self.assertEqual((message.exchange, message.payload), (f"task-group-{exchange}", {**named, **said}))
            self.assertEqual((message.routing_key, message.routes), ("primary.groupid.sched._", ()))


class WhereTheyGo(SynchronousTestCase):
    def test_routes_are_the_tasks(self) -> None:
        [message] = messages.of_change(NEW, PENDING, ABOUT)
        self.assertEqual(message.routes, ("index.a.b", "mine"))

    def test_each_fits_what_a_client_would_bind_by(self) -> None:
        events = QueueEvents({"rootUrl": "http://taskcluster.test"})
        told = [
            (events.taskDefined, messages.of_creation(NEW, ABOUT)),
            (events.taskPending, self.last(NEW, PENDING)),
            (events.taskRunning, self.last(PENDING, RUNNING)),
            (events.taskCompleted, self.last(RUNNING, COMPLETED)),
            (events.taskFailed, self.last(RUNNING, FAILED)),
            (events.taskException, self.last(RUNNING, BROKEN)),
            (events.taskPriorityChanged, messages.of_priority(NEW, NEW, ABOUT)),
            (events.artifactCreated, messages.of_artifact(RUNNING, 0, {}, ABOUT)),
            (events.taskGroupResolved, messages.of_resolved_group(OPEN)),
            (events.taskGroupSealed, messages.of_sealed_group(OPEN)),
            (events.taskGroupPriorityChanged, messages.of_group_priority(OPEN, "low", 0)),
        ]
        for bind, message in told:
            binding = bind({})
            self.assertEqual(message.exchange_name, binding["exchange"])
            self.assertTrue(_fits(message.routing_key, binding["routingKeyPattern"]), message.routing_key)

    def last(self, before: Task, after: Task) -> Message:
        return messages.of_change(before, after, ABOUT)[-1]

    def test_a_run_of_the_longest_names_has_a_key_that_brokers_take(self) -> None:
        run = Run(999, "running", "scheduled", 1, None, "g" * 38, "w" * 38, 50)
        runs = tuple(replace(run, run_id=number) for number in range(1000))
        task = replace(NEW, task_queue_id=f"{'p' * 38}/{'t' * 38}", scheduler_id="s" * 38, runs=runs)
        message = messages.of_run(replace(task, task_id="i" * 22, group_id="i" * 22), run, ABOUT)
        self.assertLessEqual(len(message.routing_key), 255)


def _fits(routing_key: str, pattern: str) -> bool:
    words, wanted = routing_key.split("."), pattern.split(".")
    assert wanted[-1] == "#"
    return len(words) >= len(wanted) - 1 and all(
        one in ("*", word) for word, one in zip(words, wanted[:-1], strict=False)
    )
