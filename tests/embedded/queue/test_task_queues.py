"""What waits in a task queue and what is claimed, and which task queues there are."""

from __future__ import annotations

from typing import Any

from tcworker.embedded.paging import token_of
from tcworker.interfaces import Credentials
from tests.embedded.wire import WireTestCase

NAMES = {"taskQueueId": "prov/type", "provisionerId": "prov", "workerType": "type"}
SEEN = {
    "expires": "2027-01-20T08:00:00.000Z",
    "lastDateActive": "2027-01-15T08:00:00.000Z",
    "description": "",
    "stability": "experimental",
}


class TaskQueuesTestCase(WireTestCase):
    def counts(self) -> tuple[int, int]:
        counts = self.ask("queue", "GET", "/task-queues/prov%2Ftype/counts")
        return counts["pendingTasks"], counts["claimedTasks"]

    def pages(self, path: str, name: str) -> list[Any]:
        """Read a list one by one."""
        page = self.ask("queue", "GET", f"{path}?limit=1")
        found = list(page[name])
        while "continuationToken" in page:
            page = self.ask("queue", "GET", f"{path}?limit=1&continuationToken={page['continuationToken']}")
            found += page[name]
        return found


class Counts(TaskQueuesTestCase):
    def test_a_task_is_counted_where_it_is(self) -> None:
        self.assertEqual(self.counts(), (0, 0))
        task_id = self.create()
        self.create(dependencies=[task_id])
        self.create(taskQueueId="prov/other")
        self.assertEqual(self.counts(), (1, 0))
        credentials = Credentials.from_json(self.claim()["credentials"])
        self.assertEqual(self.counts(), (0, 1))
        run = f"/task/{task_id}/runs/0"
        self.ask("queue", "POST", f"{run}/exception", {"reason": "worker-shutdown"}, credentials)
        self.assertEqual(self.counts(), (1, 0))
        self.ask("queue", "POST", f"/task/{task_id}/cancel")
        self.assertEqual(self.counts(), (0, 0))

    def test_a_running_task_that_ends_is_counted_no_more(self) -> None:
        for end in ("completed", "failed"):
            run, credentials = self.run_of_own()
            self.ask("queue", "POST", f"{run}/{end}", None, credentials)
            self.assertEqual(self.counts(), (0, 0))
        run, _ = self.run_of_own()
        self.ask("queue", "POST", f"{run.removesuffix('/runs/0')}/cancel")
        self.assertEqual(self.counts(), (0, 0))
        self.run_of_own(retries=0)
        self.reactor.advance(1200)
        self.assertEqual(self.counts(), (0, 0))

    def test_one_past_its_deadline_is_not_pending(self) -> None:
        self.create(deadline=self.date(seconds=5))
        self.reactor.advance(6)
        self.assertEqual(self.counts(), (0, 0))

    def test_by_every_name(self) -> None:
        self.create()
        self.assertEqual(self.ask("queue", "GET", "/pending/prov/type"), {**NAMES, "pendingTasks": 1})
        both = {**NAMES, "pendingTasks": 1, "claimedTasks": 0}
        for queue in ("prov%2Ftype", "prov/type"):
            self.assertEqual(self.ask("queue", "GET", f"/task-queues/{queue}/counts"), both)
        none = {"taskQueueId": "a/b", "provisionerId": "a", "workerType": "b", "pendingTasks": 0, "claimedTasks": 0}
        answer = self.ask("queue", "POST", "/task-queues/counts", {"taskQueueIds": ["prov/type", "a/b"]})
        self.assertEqual(answer, {"taskQueueCounts": [both, none]})

    def test_who_may(self) -> None:
        only_pending = self.with_scopes("queue:pending-count:prov/type")
        self.ask("queue", "GET", "/pending/prov/type", None, only_pending)
        for method, path, body in (
            ("GET", "/task-queues/prov%2Ftype/counts", None),
            ("POST", "/task-queues/counts", {"taskQueueIds": ["prov/type"]}),
            ("GET", "/task-queues/prov%2Ftype/pending", None),
            ("GET", "/task-queues/prov%2Ftype/claimed", None),
        ):
            self.refused("queue", 403, "InsufficientScopes", method, path, body, only_pending)


class Lists(TaskQueuesTestCase):
    def test_the_pending_the_oldest_first_whatever_their_priority(self) -> None:
        tasks = []
        for priority in ("low", "high", "lowest"):
            tasks.append(self.create(priority=priority))
            self.reactor.advance(1)
        listed = self.pages("/task-queues/prov%2Ftype/pending", "tasks")
        self.assertEqual([one["taskId"] for one in listed], tasks)
        self.assertEqual([one["inserted"] for one in listed], [f"2027-01-15T08:00:0{n}.000Z" for n in range(3)])
        self.assertEqual((listed[1]["runId"], listed[1]["task"]["priority"]), (0, "high"))

    def test_a_token_of_something_else(self) -> None:
        for token in ("rubbish", token_of("prov/type"), token_of("9" * 5000)):
            path = f"/task-queues/prov%2Ftype/pending?continuationToken={token}"
            self.refused("queue", 400, "InvalidRequestArguments", "GET", path)

    def test_the_claimed_the_oldest_first(self) -> None:
        tasks = []
        for _ in range(2):
            tasks.append(self.create())
            self.claim()
            self.reactor.advance(1)
        listed = self.pages("/task-queues/prov%2Ftype/claimed", "tasks")
        self.assertEqual([one["taskId"] for one in listed], tasks)
        self.assertEqual([one["claimed"] for one in listed], [f"2027-01-15T08:00:0{n}.000Z" for n in range(2)])
        self.assertEqual(set(listed[0]), {"taskId", "runId", "workerGroup", "workerId", "claimed", "task"})


class TheQueuesThemselves(TaskQueuesTestCase):
    def test_there_are_those_that_somebody_used(self) -> None:
        for name in ("prov/b", "prov/a", "other/c"):
            self.create(taskQueueId=name)
        listed = self.pages("/task-queues", "taskQueues")
        self.assertEqual(listed, [{"taskQueueId": name, **SEEN} for name in ("other/c", "prov/a", "prov/b")])
        self.assertEqual(self.ask("queue", "GET", "/task-queues/prov%2Fa"), listed[1])

    def test_by_their_old_names(self) -> None:
        for name in ("prov/b", "prov/a", "prov-2/c"):
            self.create(taskQueueId=name)
        provisioners = self.pages("/provisioners", "provisioners")
        self.assertEqual(provisioners, [{"provisionerId": name, **SEEN, "actions": []} for name in ("prov", "prov-2")])
        self.assertEqual(self.ask("queue", "GET", "/provisioners/prov"), provisioners[0])
        types = self.pages("/provisioners/prov/worker-types", "workerTypes")
        self.assertEqual([one["workerType"] for one in types], ["a", "b"])
        expected = {**types[0], "actions": []}
        self.assertEqual(self.ask("queue", "GET", "/provisioners/prov/worker-types/a"), expected)

    def test_a_provisioner_is_as_young_as_the_youngest_of_its_queues(self) -> None:
        self.create(taskQueueId="prov/a")
        self.reactor.advance(3600)
        self.create(taskQueueId="prov/b")
        self.assertEqual(self.ask("queue", "GET", "/provisioners/prov")["lastDateActive"], "2027-01-15T09:00:00.000Z")

    def test_those_that_are_not_there(self) -> None:
        for path in ("/task-queues/prov%2Ftype", "/provisioners/prov", "/provisioners/prov/worker-types/type"):
            self.refused("queue", 404, "ResourceNotFound", "GET", path)

    def test_they_are_forgotten(self) -> None:
        self.create()
        self.reactor.advance(5 * 86_400 + 1)
        self.assertEqual(self.ask("queue", "GET", "/task-queues"), {"taskQueues": []})
