"""Workers as the queue knows them: their signs of life, their quarantine, and the end of those who are gone."""

from __future__ import annotations

from typing import Any

from tcworker.embedded.outbox import Message
from tests.embedded.wire import QUEUE, Pending, WireTestCase

TYPE = "/provisioners/prov/worker-types/type"
WORKERS = f"{TYPE}/workers"


class WorkersTestCase(WireTestCase):
    def wait(self, worker: str = "worker") -> Pending:
        body = {"workerGroup": "group", "workerId": worker}
        return self.begin("POST", f"{QUEUE}/claim-work/prov/type", body, self.root)

    def worker(self, name: str = "worker") -> Any:
        return self.ask("queue", "GET", f"{WORKERS}/group/{name}")

    def quarantine(self, until: str, **more: Any) -> Any:
        return self.ask("queue", "PUT", f"{WORKERS}/group/worker", {"quarantineUntil": until, **more})


class SignsOfLife(WorkersTestCase):
    def test_what_is_known_of_a_worker(self) -> None:
        task_id = self.create()
        self.claim()
        known = {
            "provisionerId": "prov",
            "workerType": "type",
            "taskQueueId": "prov/type",
            "workerGroup": "group",
            "workerId": "worker",
            "recentTasks": [{"taskId": task_id, "runId": 0}],
            "expires": "2027-01-16T08:00:00.000Z",
            "quarantineUntil": "2027-01-15T08:00:00.000Z",
            "firstClaim": "2027-01-15T08:00:00.000Z",
            "lastDateActive": "2027-01-15T08:00:00.000Z",
            "actions": [],
        }
        self.assertEqual(self.worker(), known)

    def test_waiting_is_one_even_if_there_is_nothing(self) -> None:
        self.wait().hang_up()
        self.assertEqual(self.worker()["recentTasks"], [])

    def test_they_are_written_down_each_half_hour(self) -> None:
        for minutes, written in ((0, "08:00"), (29, "08:00"), (1, "08:30"), (20, "08:30"), (10, "09:00")):
            self.reactor.advance(60 * minutes)
            self.wait().hang_up()
            self.assertEqual(self.worker()["lastDateActive"], f"2027-01-15T{written}:00.000Z")
        self.assertEqual(self.worker()["expires"], "2027-01-16T09:00:00.000Z")
        self.assertEqual(self.worker()["firstClaim"], "2027-01-15T08:00:00.000Z")
        self.assertEqual(
            self.ask("queue", "GET", "/task-queues/prov%2Ftype")["lastDateActive"], "2027-01-15T09:00:00.000Z"
        )

    def test_a_reclaim_is_one(self) -> None:
        run, _ = self.run_of_own(deadline=self.date(hours=3))
        for _ in range(2):
            self.reactor.advance(1000)
            self.ask("queue", "POST", f"{run}/reclaim")
        self.assertEqual(self.worker()["lastDateActive"], "2027-01-15T08:33:20.000Z")

    def test_nobody_is_known_for_ever(self) -> None:
        self.wait().hang_up()
        self.reactor.advance(86_401)
        self.refused("queue", 404, "ResourceNotFound", "GET", f"{WORKERS}/group/worker")
        self.assertEqual(self.ask("queue", "GET", WORKERS), {"workers": []})

    def test_the_last_twenty_tasks(self) -> None:
        tasks = [self.create() for _ in range(22)]
        for _ in tasks:
            self.claim()
        self.assertEqual([one["taskId"] for one in self.worker()["recentTasks"]], tasks[2:])

    def test_they_survive_a_restart(self) -> None:
        self.create()
        self.claim()
        known = self.worker()
        self.stop(self.taskcluster)
        self.start()
        self.assertEqual(self.worker(), known)


class Declaring(WorkersTestCase):
    def test_a_worker_that_nobody_knew(self) -> None:
        worker = self.ask("queue", "PUT", f"{TYPE}/group/worker", {"expires": self.date(hours=2)})
        self.assertEqual((worker["expires"], worker["recentTasks"]), ("2027-01-15T10:00:00.000Z", []))
        self.assertEqual(self.worker(), worker)
        self.assertEqual(self.ask("queue", "GET", "/task-queues/prov%2Ftype")["taskQueueId"], "prov/type")

    def test_who_may(self) -> None:
        path, body = f"{TYPE}/group/worker", {"expires": self.date(hours=2)}
        self.refused("queue", 403, "InsufficientScopes", "PUT", path, body, self.with_scopes())
        self.refused("queue", 400, "InputValidationError", "PUT", path, {})
        self.ask("queue", "PUT", path, body, self.with_scopes("queue:declare-worker:prov/type/group/worker#expires"))


class Listing(WorkersTestCase):
    def test_in_pages_with_the_latest_task(self) -> None:
        for name in ("a", "c", "b"):
            self.wait(name).hang_up()
        task_id = self.create()
        self.wait("b").answer()
        first = self.ask("queue", "GET", f"{WORKERS}?limit=2")
        rest = self.ask("queue", "GET", f"{WORKERS}?limit=2&continuationToken={first['continuationToken']}")
        workers = first["workers"] + rest["workers"]
        self.assertEqual([worker["workerId"] for worker in workers], ["a", "b", "c"])
        self.assertEqual(
            [worker.get("latestTask") for worker in workers], [None, {"taskId": task_id, "runId": 0}, None]
        )
        self.assertNotIn("continuationToken", rest)

    def test_only_those_in_quarantine_or_only_the_others(self) -> None:
        self.wait("free").hang_up()
        self.wait().hang_up()
        self.quarantine(self.date(hours=1))
        for which, names in (("true", ["worker"]), ("false", ["free"])):
            workers = self.ask("queue", "GET", f"{WORKERS}?quarantined={which}")["workers"]
            self.assertEqual([worker["workerId"] for worker in workers], names)
            self.assertEqual("quarantineUntil" in workers[0], which == "true")
        self.refused("queue", 400, "InvalidRequestArguments", "GET", f"{WORKERS}?quarantined=maybe")


class Quarantine(WorkersTestCase):
    def test_a_worker_gets_nothing_and_waits_the_whole_poll(self) -> None:
        self.wait().hang_up()
        self.quarantine(self.date(hours=1))
        self.create()
        pending = self.wait()
        self.reactor.advance(19.9)
        self.assertFalse(pending.answered)
        self.reactor.advance(0.1)
        self.assertEqual(pending.answer().json, {"tasks": []})

    def test_the_task_goes_to_another(self) -> None:
        self.wait().hang_up()
        self.quarantine(self.date(hours=1))
        self.wait()
        other = self.wait("other")
        task_id = self.create()
        self.assertEqual(other.answer().json["tasks"][0]["status"]["taskId"], task_id)

    def test_it_begins_for_who_waits_already(self) -> None:
        pending = self.wait()
        self.quarantine(self.date(hours=1))
        self.create()
        self.assertFalse(pending.answered)

    def test_it_ends_by_itself_and_by_a_date_that_is_over(self) -> None:
        for lift in (lambda: self.reactor.advance(3601), lambda: self.quarantine(self.date(hours=-1))):
            self.wait().hang_up()
            self.quarantine(self.date(hours=1))
            lift()
            self.create()
            self.claim()

    def test_every_change_is_listed(self) -> None:
        self.wait().hang_up()
        self.quarantine("2027-01-15T10:00:00Z", quarantineInfo="smells")
        details = self.quarantine("2027-01-15T07:00:00Z")["quarantineDetails"]
        common = {"clientId": self.root.client_id, "updatedAt": "2027-01-15T08:00:00.000Z"}
        self.assertEqual(
            details,
            [
                {**common, "quarantineUntil": "2027-01-15T10:00:00.000Z", "quarantineInfo": "smells"},
                {**common, "quarantineUntil": "2027-01-15T07:00:00.000Z", "quarantineInfo": ""},
            ],
        )
        self.assertEqual(self.worker()["quarantineDetails"], details)

    def test_who_is_in_it_is_not_forgotten_before_its_end(self) -> None:
        self.wait().hang_up()
        self.assertEqual(self.quarantine(self.date(days=9))["expires"], "2027-01-24T08:00:00.000Z")

    def test_of_a_worker_that_nobody_knows(self) -> None:
        body = {"quarantineUntil": self.date(hours=1)}
        self.refused("queue", 404, "ResourceNotFound", "PUT", f"{WORKERS}/group/worker", body)

    def test_who_may(self) -> None:
        self.wait().hang_up()
        path, body = f"{WORKERS}/group/worker", {"quarantineUntil": self.date(hours=1)}
        self.refused("queue", 403, "InsufficientScopes", "PUT", path, body, self.with_scopes())
        self.refused("queue", 400, "InputValidationError", "PUT", path, {**body, "quarantineInfo": "x" * 4001})
        self.ask("queue", "PUT", path, body, self.with_scopes("queue:quarantine-worker:prov/type/group/worker"))


class Removal(WorkersTestCase):
    def gone(self, exchange: str = "worker-removed", **more: str) -> None:
        payload = {"workerPoolId": "prov/type", "workerGroup": "group", "workerId": "worker", **more}
        self.taskcluster.outbox.send([Message("worker-manager", exchange, "primary", payload)])

    def test_its_runs_go_to_others_at_once(self) -> None:
        for exchange in ("worker-removed", "worker-stopped"):
            run, credentials = self.run_of_own()
            waiting = self.wait("other")
            self.gone(exchange)
            [claim] = waiting.answer().json["tasks"]
            self.assertEqual((claim["runId"], claim["status"]["retriesLeft"]), (1, 4))
            self.assertEqual(self.ends(run.split("/")[2])[0], ("exception", "worker-shutdown"))
            self.refused("queue", 409, "RequestConflict", "POST", f"{run}/completed", None, credentials)

    def test_without_retries_the_task_is_over(self) -> None:
        run, _ = self.run_of_own(retries=0)
        self.gone()
        self.assertEqual(self.ends(run.split("/")[2]), [("exception", "worker-shutdown")])

    def test_other_news_and_other_workers_change_nothing(self) -> None:
        run, _ = self.run_of_own()
        self.gone("worker-running")
        self.gone(workerId="other")
        self.gone(workerPoolId="prov/other")
        self.assertEqual(self.status(run.split("/")[2])["state"], "running")
