"""Which calls and events tell something, once and when they are repeated (contracts of the queue, 1.5, 1.7 and 2.4)."""

from __future__ import annotations

import sqlite3
from typing import Any

import slugid

from tcworker.embedded.outbox import Message
from tcworker.embedded.times import Times
from tests.embedded.wire import QUEUE, WORKER, WireTestCase

NOBODY, CLAIMED = "_._", "group.worker"


class TellingTestCase(WireTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.heard: list[Message] = []
        self.taskcluster.outbox.listen(self.heard.append)

    def told(self) -> list[tuple[str, str]]:
        """Give what was told since the last time: the exchange, and run, group and worker in the routing key."""
        told = [(one.exchange, ".".join(one.routing_key.split(".")[2:5])) for one in self.heard]
        self.heard.clear()
        return told

    def tells(self, *expected: tuple[str, str]) -> None:
        self.assertEqual(self.told(), list(expected))


class PartsOfTransactions(TellingTestCase):
    def test_they_see_what_is_being_kept_before_anybody_hears_of_it(self) -> None:
        seen: list[str] = []

        def look(connection: sqlite3.Connection, message: Message) -> None:
            self.assertEqual((connection.in_transaction, self.heard), (True, []))
            seen.extend(row["task_id"] for row in connection.execute("SELECT task_id FROM tasks"))

        self.taskcluster.outbox.join(look)
        self.assertEqual({self.create()}, set(seen))
        self.assertNotEqual(self.heard, [])

    def test_what_they_raise_undoes_the_change(self) -> None:
        task_id = str(slugid.nice())
        self.taskcluster.outbox.join(lambda connection, message: 1 / 0)
        answer = self.call("PUT", f"{QUEUE}/task/{task_id}", self.definition())
        self.assertEqual((answer.status, self.heard), (500, []))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.refused("queue", 404, "ResourceNotFound", "GET", f"/task/{task_id}")


class CallsOfUsers(TellingTestCase):
    def test_a_task_is_defined_and_then_pending(self) -> None:
        self.create(tags={"kind": "test"}, routes=["index.x"])
        for message in self.heard:
            self.assertEqual((message.payload["task"], message.routes), ({"tags": {"kind": "test"}}, ("index.x",)))
        self.tells(("task-defined", "_._._"), ("task-pending", f"0.{NOBODY}"))

    def test_one_that_waits_for_another_is_only_defined(self) -> None:
        first = self.create()
        self.told()
        self.create(dependencies=[first])
        self.tells(("task-defined", "_._._"))

    def test_creating_it_again_tells_again_what_may_have_been_missed(self) -> None:
        task_id, definition = str(slugid.nice()), self.definition()
        self.ask("queue", "PUT", f"/task/{task_id}", definition)
        self.told()
        self.ask("queue", "PUT", f"/task/{task_id}", definition)
        self.tells(("task-pending", f"0.{NOBODY}"))
        self.claim()
        self.told()
        self.ask("queue", "PUT", f"/task/{task_id}", definition)
        self.tells()

    def test_what_is_refused_tells_nothing(self) -> None:
        self.refused(
            "queue", 400, "InputError", "PUT", f"/task/{slugid.nice()}", self.definition(dependencies=[slugid.nice()])
        )
        self.tells()

    def test_cancelling_and_cancelling_again(self) -> None:
        task_id = self.create()
        self.told()
        for _ in range(2):
            self.ask("queue", "POST", f"/task/{task_id}/cancel")
            self.tells(("task-exception", f"0.{NOBODY}"))

    def test_cancelling_what_ended_otherwise(self) -> None:
        path, run = self.run_of_own()
        self.ask("queue", "POST", f"{path}/completed", credentials=run)
        self.told()
        self.ask("queue", "POST", f"{path.removesuffix('/runs/0')}/cancel")
        self.tells()

    def test_another_run_and_asking_for_it_again(self) -> None:
        task_id = self.create()
        self.ask("queue", "POST", f"/task/{task_id}/cancel")
        self.told()
        for _ in range(2):
            self.ask("queue", "POST", f"/task/{task_id}/rerun")
            self.tells(("task-pending", f"1.{NOBODY}"))

    def test_scheduling_what_is_scheduled(self) -> None:
        task_id = self.create()
        self.told()
        self.ask("queue", "POST", f"/task/{task_id}/schedule")
        self.tells()

    def test_a_priority(self) -> None:
        task_id = self.create()
        self.told()
        self.ask("queue", "POST", f"/task/{task_id}/priority", {"newPriority": "high"})
        self.tells(("task-priority-changed", "_._._"))


class CallsOfWorkers(TellingTestCase):
    def test_a_claim(self) -> None:
        self.create()
        self.told()
        self.claim()
        self.tells(("task-running", f"0.{CLAIMED}"))

    def test_a_longer_claim_is_not_told(self) -> None:
        path, run = self.run_of_own()
        self.told()
        self.ask("queue", "POST", f"{path}/reclaim", credentials=run)
        self.tells()

    def test_reports_and_their_repetition(self) -> None:
        for state in ("completed", "failed"):
            path, run = self.run_of_own()
            self.told()
            for _ in range(2):
                self.ask("queue", "POST", f"{path}/{state}", credentials=run)
                self.tells((f"task-{state}", f"0.{CLAIMED}"))

    def test_an_exception_with_a_retry_and_its_repetition(self) -> None:
        path, run = self.run_of_own()
        self.told()
        for _ in range(2):
            self.ask("queue", "POST", f"{path}/exception", {"reason": "worker-shutdown"}, run)
            self.tells(("task-exception", f"0.{CLAIMED}"), ("task-pending", f"1.{NOBODY}"))

    def test_a_report_that_is_refused(self) -> None:
        path, run = self.run_of_own()
        self.ask("queue", "POST", f"{path}/failed", credentials=run)
        self.told()
        self.refused("queue", 409, "RequestConflict", "POST", f"{path}/completed", credentials=run)
        self.tells()

    def test_artifacts_but_those_of_s3(self) -> None:
        path, run = self.run_of_own()
        self.told()
        expires = self.date(minutes=30)
        reference = {"storageType": "reference", "expires": expires, "url": "http://x.test/", "contentType": "a/b"}
        self.ask("queue", "POST", f"{path}/artifacts/public%2Fa", reference, run)
        [message] = self.heard
        self.assertEqual(message.payload["artifact"].keys(), {"storageType", "name", "expires", "contentType"})
        self.tells(("artifact-created", f"0.{CLAIMED}"))
        s3 = {"storageType": "s3", "expires": expires, "contentType": "a/b"}
        self.ask("queue", "POST", f"{path}/artifacts/public%2Fb", s3, run)
        self.tells()


class Events(TellingTestCase):
    times = Times(claim=100, dependencies=5)

    def test_a_claim_that_ends(self) -> None:
        self.run_of_own()
        self.told()
        self.reactor.advance(101)
        self.tells(("task-exception", f"0.{CLAIMED}"), ("task-pending", f"1.{NOBODY}"))

    def test_a_deadline(self) -> None:
        self.create(deadline=self.date(seconds=10))
        self.claim()
        self.told()
        self.reactor.advance(71)
        self.assertEqual(self.told()[0], ("task-exception", f"0.{NOBODY}"))

    def test_a_task_whose_turn_has_come(self) -> None:
        first = self.create()
        self.create(dependencies=[first])
        self.claim()
        self.ask("queue", "POST", f"/task/{first}/runs/0/completed")
        self.told()
        self.reactor.advance(6)
        self.assertIn(("task-pending", f"0.{NOBODY}"), self.told())


class Groups(TellingTestCase):
    def groups(self) -> list[Any]:
        told = [
            (one.exchange, one.payload["taskGroupId"]) for one in self.heard if one.exchange.startswith("task-group")
        ]
        self.heard.clear()
        return told

    def test_a_group_is_over_with_its_last_task(self) -> None:
        group, other = str(slugid.nice()), self.create()
        tasks = [self.create(taskGroupId=group) for _ in range(2)]
        self.ask("queue", "POST", f"/task/{tasks[0]}/cancel")
        self.reactor.advance(6)
        self.assertEqual(self.groups(), [])
        self.ask("queue", "POST", f"/task/{tasks[1]}/cancel")
        self.reactor.advance(6)
        self.assertEqual(self.groups(), [("task-group-resolved", group)])
        self.ask("queue", "POST", f"/task/{other}/cancel")
        self.reactor.advance(6)
        self.assertEqual(self.groups(), [("task-group-resolved", other)])

    def test_a_group_in_which_something_became_possible_is_not(self) -> None:
        first = self.create()
        self.create(taskGroupId=first, dependencies=[first])
        [claim] = self.ask("queue", "POST", "/claim-work/prov%2Ftype", WORKER)["tasks"]
        self.ask("queue", "POST", f"/task/{claim['status']['taskId']}/runs/0/completed")
        self.reactor.advance(6)
        self.assertEqual(self.groups(), [])

    def test_a_group_that_is_sealed(self) -> None:
        group = self.create()
        self.groups()
        self.ask("queue", "POST", f"/task-group/{group}/seal")
        [message] = self.heard
        self.assertEqual(message.payload["expires"], self.ask("queue", "GET", f"/task-group/{group}")["expires"])
        self.assertIn("sealed", message.payload)
        self.assertEqual(self.groups(), [("task-group-sealed", group)])
