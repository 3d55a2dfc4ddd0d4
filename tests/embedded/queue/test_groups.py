"""Task groups: reading, sealing, cancelling, and changing priorities."""

from __future__ import annotations

from typing import Any

import slugid

from tcworker.embedded.queue import groups
from tcworker.interfaces import Credentials
from tests.embedded.wire import WireTestCase

NICE = str(slugid.nice())


class GroupsTestCase(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.told: list[tuple[str, Any]] = []
        self.group = str(slugid.nice())
        self.path = f"/task-group/{self.group}"
        self.taskcluster.outbox.listen(lambda message: self.told.append((message.exchange, message.payload)))

    def member(self, **more: Any) -> str:
        return self.create(taskGroupId=self.group, schedulerId="sched", **more)

    def only(self, exchange: str) -> list[Any]:
        return [payload for name, payload in self.told if name == exchange]


class Reading(GroupsTestCase):
    def test_a_group_lasts_as_long_as_the_longest_of_its_tasks(self) -> None:
        for hours in (5, 9, 7):
            self.member(expires=self.date(hours=hours))
        group = self.ask("queue", "GET", self.path)
        self.assertEqual(
            group, {"taskGroupId": self.group, "schedulerId": "sched", "expires": "2027-01-15T17:00:00.000Z"}
        )

    def test_unknown_groups(self) -> None:
        for method, path in (("GET", ""), ("GET", "/list"), ("POST", "/seal"), ("POST", "/cancel")):
            self.refused("queue", 404, "ResourceNotFound", method, f"/task-group/{NICE}{path}")


class Sealing(GroupsTestCase):
    def test_it_takes_no_more_tasks(self) -> None:
        self.member()
        sealed = self.ask("queue", "POST", f"{self.path}/seal")
        self.assertEqual(sealed["sealed"], "2027-01-15T08:00:00.000Z")
        definition = self.definition(taskGroupId=self.group, schedulerId="sched")
        self.refused("queue", 409, "RequestConflict", "PUT", f"/task/{NICE}", definition)
        self.assertEqual(self.ask("queue", "GET", self.path), sealed)

    def test_not_even_a_task_that_it_has(self) -> None:
        definition = self.definition(taskGroupId=self.group)
        self.ask("queue", "PUT", f"/task/{NICE}", definition)
        self.ask("queue", "POST", f"{self.path}/seal")
        self.refused("queue", 409, "RequestConflict", "PUT", f"/task/{NICE}", definition)

    def test_again_changes_nothing_and_is_told_once(self) -> None:
        self.member()
        first = self.ask("queue", "POST", f"{self.path}/seal")
        self.reactor.advance(5)
        self.assertEqual(self.ask("queue", "POST", f"{self.path}/seal"), first)
        self.assertEqual([payload["sealed"] for payload in self.only("task-group-sealed")], [first["sealed"]])

    def test_who_may(self) -> None:
        self.member()
        for verb, body in (("seal", None), ("cancel", None), ("priority", {"newPriority": "high"})):
            self.refused("queue", 403, "InsufficientScopes", "POST", f"{self.path}/{verb}", body, self.with_scopes())
        self.ask(
            "queue", "POST", f"{self.path}/seal", None, self.with_scopes(f"queue:seal-task-group:sched/{self.group}")
        )


class Cancelling(GroupsTestCase):
    def test_only_a_sealed_group(self) -> None:
        self.member()
        self.refused("queue", 409, "RequestConflict", "POST", f"{self.path}/cancel")

    def test_all_that_is_not_over(self) -> None:
        self.patch(groups, "TASKS_AT_ONCE", 2)
        done = self.member(priority="highest")
        run = f"/task/{done}/runs/0"
        self.ask("queue", "POST", f"{run}/completed", None, Credentials.from_json(self.claim()["credentials"]))
        running = self.member(priority="highest")
        self.claim()
        pending, waiting = self.member(), self.member(dependencies=[running])
        late = self.member(deadline=self.date(seconds=1))
        self.reactor.advance(2)
        self.ask("queue", "POST", f"{self.path}/seal")
        answer = self.ask("queue", "POST", f"{self.path}/cancel")
        self.assertEqual(sorted(answer.pop("taskIds")), sorted([running, pending, waiting]))
        self.assertEqual(answer, {"taskGroupId": self.group, "taskGroupSize": 5, "cancelledCount": 3})
        for task_id in (running, pending, waiting):
            self.assertEqual(self.ends(task_id), [("exception", "canceled")])
        self.assertEqual([self.status(task_id)["state"] for task_id in (done, late)], ["completed", "pending"])


class Priorities(GroupsTestCase):
    def test_of_all_that_never_was_over(self) -> None:
        self.patch(groups, "TASKS_AT_ONCE", 1)
        rerun, low, high = self.member(), self.member(priority="low"), self.member(priority="high")
        self.ask("queue", "POST", f"/task/{rerun}/cancel")
        self.ask("queue", "POST", f"/task/{rerun}/rerun")
        answer = self.ask("queue", "POST", f"{self.path}/priority", {"newPriority": "high"})
        expected = {"taskGroupId": self.group, "schedulerId": "sched", "newPriority": "high", "tasksAffected": 1}
        self.assertEqual(answer, {**expected, "taskIds": [low]})
        self.assertEqual([self.status(one)["priority"] for one in (rerun, low, high)], ["lowest", "high", "high"])
        [told] = self.only("task-group-priority-changed")
        self.assertEqual((told["newPriority"], told["tasksAffected"]), ("high", 1))

    def test_one_that_is_none(self) -> None:
        self.member()
        self.refused("queue", 400, "InputValidationError", "POST", f"{self.path}/priority", {"newPriority": "normal"})
