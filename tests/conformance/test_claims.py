"""claimWork's long poll, what a claim holds, and reclaiming (contracts of the queue, 1.3 and 1.4)."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain

from tests.conformance.case import QUEUE, ConformanceTestCase, Held, date, names, new_id, random_name, when
from tests.conformance.deployment import patient


class Claims(ConformanceTestCase):
    def test_what_a_claim_says(self) -> None:
        held = self.running(payload={"a": 1}, tags={"b": "c"})
        claim = held.claim
        self.assertEqual(
            set(claim), {"status", "runId", "workerGroup", "workerId", "takenUntil", "task", "credentials"}
        )
        self.assertEqual((claim["runId"], claim["workerGroup"], claim["workerId"]), (0, *self._worker()))
        self.assertEqual(claim["task"], self.queue.task(held.task_id))
        self.assertEqual(claim["status"], self.status(held.task_id))
        self.assertAlmostEqual(when(claim["takenUntil"]), when(claim["status"]["runs"][0]["takenUntil"]), 2)

    def _worker(self) -> tuple[str, str]:
        return self.worker_group, self.worker_id

    def test_the_credentials_of_a_run(self) -> None:
        held = self.running(scopes=["conformance:one", "conformance:two"])
        given = held.claim["credentials"]
        self.assertEqual(set(given), {"clientId", "accessToken", "certificate"})
        run = f"{held.task_id}/{held.run_id}"
        self.assertTrue(
            given["clientId"].startswith(f"task-client/{run}/on/{self.worker_group}/{self.worker_id}/until/")
        )
        certificate = json.loads(given["certificate"])
        own = {f"queue:{right}:{run}" for right in ("reclaim-task", "resolve-task", "create-artifact")}
        self.assertEqual(set(certificate["scopes"]), own | {"conformance:one", "conformance:two"})
        self.assertEqual(certificate["expiry"] / 1000, when(held.claim["status"]["runs"][0]["takenUntil"]))
        self.assertLessEqual(certificate["start"], certificate["expiry"])

    def test_they_are_good_for_that_run_alone(self) -> None:
        held, other = self.running(), self.running()
        for call in (held.services.queue.reportCompleted, held.services.queue.reclaimTask):
            with self.refused("InsufficientScopes"):
                call(*other.run)
        with self.refused("InsufficientScopes"):
            held.services.queue.reportCompleted(held.task_id, 1)

    def test_several_at_once(self) -> None:
        task_ids = [self.create() for _ in range(4)]
        self.assertEqual([held.task_id for held in self.claim_work(tasks=3)], task_ids[:3])
        self.assertEqual([held.task_id for held in self.claim_work(tasks=32)], task_ids[3:])

    def test_each_is_handed_out_once(self) -> None:
        task_ids = [self.create() for _ in range(24)]
        with ThreadPoolExecutor(8) as workers:
            claims = list(workers.map(lambda n: self.claim_work(3, f"worker-{n}"), range(8)))
        claimed = [held.task_id for held in chain(*claims)]
        self.assertEqual(len(claimed), len(set(claimed)))
        rest = self.claim_work(32) if len(claimed) < len(task_ids) else []
        self.assertEqual({*claimed, *(held.task_id for held in rest)}, set(task_ids))

    def test_one_unless_more_are_asked_for(self) -> None:
        task_ids = [self.create() for _ in range(2)]
        asked = {"workerGroup": self.worker_group, "workerId": self.worker_id}
        claims = self.queue.claimWork(self.task_queue, asked)["tasks"]
        self.assertEqual([claim["status"]["taskId"] for claim in claims], task_ids[:1])

    def test_what_cannot_be_asked(self) -> None:
        asked = {"workerGroup": self.worker_group, "workerId": self.worker_id, "tasks": 1}
        wrong = [{"tasks": 0}, {"tasks": 33}, {"tasks": 1.5}, {"workerId": "a.b"}, {"workerId": ""}, {"more": 1}]
        for change in [*wrong, {"workerGroup": "x" * 39}]:
            with self.refused("InputValidationError"):
                self.queue.claimWork(self.task_queue, {**asked, **change})
        for lacking in ("workerGroup", "workerId"):
            with self.refused("InputValidationError"):
                self.queue.claimWork(self.task_queue, {key: asked[key] for key in asked if key != lacking})

    def test_who_may_claim(self) -> None:
        self.create()
        claim, worker = f"queue:claim-work:{self.task_queue}", f"queue:worker-id:{self.worker_group}/{self.worker_id}"
        for scopes in ([claim], [worker], [claim, worker + "x"], [claim + "x", worker]):
            with self.refused("InsufficientScopes"):
                self.claim_work(services=self.limited(*scopes))
        [held] = self.claim_work(services=self.limited(claim, worker))
        held.complete()

    def test_the_old_call_for_one_task(self) -> None:
        task_id = self.create()
        worker = {"workerGroup": self.worker_group, "workerId": self.worker_id}
        claim = self.queue.claimTask(task_id, 0, worker)
        self.assertEqual((claim["runId"], claim["status"]["state"]), (0, "running"))
        with self.refused("RequestConflict"):
            self.queue.claimTask(task_id, 0, {**worker, "workerId": "another"})
        for run in ((task_id, 1), (new_id(), 0)):
            with self.refused("ResourceNotFound"):
                self.queue.claimTask(*run, worker)


class Reclaims(ConformanceTestCase):
    def test_the_claim_lasts_longer_and_has_new_credentials(self) -> None:
        held = self.running(scopes=["conformance:one"])
        again = held.reclaim()
        self.assertEqual(set(again), {"status", "runId", "workerGroup", "workerId", "takenUntil", "credentials"})
        self.assertGreaterEqual(when(again["takenUntil"]), when(held.claim["takenUntil"]))
        old, new = (json.loads(answer["credentials"]["certificate"]) for answer in (held.claim, again))
        self.assertEqual(set(new["scopes"]), set(old["scopes"]))
        self.assertGreaterEqual(new["expiry"], old["expiry"])
        self.assertNotEqual(new["signature"], old["signature"])
        fresh = self._held({**again, "task": {}})
        self.assertEqual(fresh.complete()["state"], "completed")

    def test_the_old_ones_stay_good(self) -> None:
        held = self.running()
        held.reclaim()
        self.assertEqual(held.complete()["state"], "completed")

    def test_what_nobody_runs(self) -> None:
        over = self.running()
        over.complete()
        for run in (over.run, (self.create(), 0)):
            with self.refused("RequestConflict"):
                self.queue.reclaimTask(*run)


class LongPolls(ConformanceTestCase):
    choose = staticmethod(patient)

    def asking(self, worker_id: str, tasks: int = 1) -> Future[list[Held]]:
        return self.meanwhile(self.claim_work, tasks, worker_id)

    def until_seen(self, worker_id: str) -> None:
        """Wait until the queue knows of a worker, which means that it is in claimWork."""
        provisioner_id, worker_type = self.task_queue.split("/")

        def seen() -> bool:
            listed = self.call("GET", f"{QUEUE}/provisioners/{provisioner_id}/worker-types/{worker_type}/workers")
            return listed.status == 200 and worker_id in names(listed.json["workers"], "workerId")

        self.eventually(seen, seconds=self.deployment.hold)

    def test_an_empty_queue_is_watched_until_the_end(self) -> None:
        began = time.monotonic()
        self.assertEqual(self.claim_work(), [])
        self.assertGreater(time.monotonic() - began, self.deployment.hold - 0.2)
        self.assertLess(time.monotonic() - began, self.deployment.hold + 5)

    def test_a_new_task_is_handed_out_at_once(self) -> None:
        asked = self.asking(self.worker_id)
        self.until_seen(self.worker_id)
        task_id = self.create()
        created = time.monotonic()
        [held] = asked.result()
        self.assertEqual(held.task_id, task_id)
        # The real one looks once a second.
        self.assertLess(time.monotonic() - created, self.deployment.hold / 2 + 1)

    def test_it_does_not_wait_for_more(self) -> None:
        task_id = self.create()
        self.assertEqual([held.task_id for held in self.claim_work(tasks=4)], [task_id])

    def test_who_came_first_is_served_first(self) -> None:
        waiting = []
        for worker_id in ("first", "second", "third"):
            waiting.append(self.asking(worker_id))
            self.until_seen(worker_id)
        task_ids = [self.create() for _ in range(3)]
        self.assertEqual([asked.result()[0].task_id for asked in waiting], task_ids)

    def test_who_has_gone_gets_nothing(self) -> None:
        with closing(socket.create_connection(self.deployment.address, timeout=60)) as connection:
            connection.sendall(self.request())
            self.until_seen(self.worker_id)
        # The connection is lost; until a server knows that it may still hand out what comes.
        time.sleep(0.5)
        task_id = self.create()
        self.assertEqual([held.task_id for held in self.claim_work(worker_id="another")], [task_id])

    def request(self) -> bytes:
        """Give a claimWork as it goes over the wire."""
        target = f"{QUEUE}/claim-work/{self.task_queue}"
        asked = {"workerGroup": self.worker_group, "workerId": self.worker_id, "tasks": 1}
        content = json.dumps(asked).encode()
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {self.deployment.root_url.partition('://')[2]}",
            f"Authorization: {self.deployment.sign('POST', target)}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + content

    def test_a_rerun_wakes_a_worker_too(self) -> None:
        task_id = self.create()
        self.queue.cancelTask(task_id)
        asked = self.asking(self.worker_id)
        self.until_seen(self.worker_id)
        self.queue.rerunTask(task_id)
        self.assertEqual([held.run for held in asked.result()], [(task_id, 1)])

    def test_so_does_a_retry(self) -> None:
        held = self.running()
        asked = self.asking("another")
        self.until_seen("another")
        held.end_with("intermittent-task")
        self.assertEqual([held.run for held in asked.result()], [(held.task_id, 1)])

    def test_tasks_that_are_not_for_this_worker(self) -> None:
        self.create(taskQueueId=f"{random_name()}/other")
        # Nor is one that is past its deadline, whether the queue has noticed or not.
        self.create(deadline=date(seconds=1))
        time.sleep(1.2)
        self.assertEqual(self.claim_work(), [])
