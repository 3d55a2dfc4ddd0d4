"""Claiming and waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import slugid
from twisted.internet.defer import Deferred, execute

from tcworker.embedded.queue.store import Store
from tcworker.embedded.times import Times
from tcworker.interfaces import Credentials
from tests.embedded.wire import QUEUE, WORKER, InThisThread, Pending, WireTestCase

NICE = str(slugid.nice())


class ClaimsTestCase(WireTestCase):
    def wait(self, worker: str = "worker", tasks: int = 1, queue: str = "prov/type") -> Pending:
        body = {"workerGroup": "group", "workerId": worker, "tasks": tasks}
        return self.begin("POST", f"{QUEUE}/claim-work/{queue}", body, self.root)

    def claimed(self, pending: Pending) -> list[str]:
        return [claim["status"]["taskId"] for claim in pending.answer().json["tasks"]]


class ClaimWork(ClaimsTestCase):
    def test_a_claim_says_all_that_a_worker_needs(self) -> None:
        task_id = self.create(scopes=["its:own"], payload={"a": 1})
        claim = self.claim()
        self.assertEqual(
            set(claim), {"status", "runId", "workerGroup", "workerId", "takenUntil", "task", "credentials"}
        )
        self.assertEqual((claim["status"]["taskId"], claim["runId"]), (task_id, 0))
        self.assertEqual(claim["takenUntil"], "2027-01-15T08:20:00.000Z")
        self.assertEqual(claim["task"]["payload"], {"a": 1})
        run = self.status(task_id)["runs"][0]
        self.assertEqual((run["state"], run["workerGroup"], run["workerId"]), ("running", "group", "worker"))

    def test_the_credentials_are_the_runs(self) -> None:
        task_id = self.create(scopes=["its:own"])
        credentials = Credentials.from_json(self.claim()["credentials"])
        scopes = set(self.call("GET", "/api/auth/v1/scopes/current", None, credentials).json["scopes"])
        name = f"{task_id}/0"
        own = {f"queue:{verb}:{name}" for verb in ("reclaim-task", "resolve-task", "create-artifact")} | {"its:own"}
        self.assertLessEqual(own, scopes)
        self.assertNotIn("*", scopes)
        self.assertTrue(credentials.client_id.startswith(f"task-client/{name}/on/group/worker/until/18000012"))

    def test_the_most_urgent_first_then_the_oldest(self) -> None:
        low, high, later = self.create(), self.create(priority="high"), self.create()
        self.assertEqual(self.claimed(self.wait(tasks=2)), [high, low])
        self.assertEqual(self.claimed(self.wait()), [later])

    def test_as_many_as_there_are(self) -> None:
        tasks = [self.create(), self.create()]
        self.assertEqual(self.claimed(self.wait(tasks=32)), tasks)

    def test_tasks_is_one_by_itself_and_32_at_the_most(self) -> None:
        self.create(), self.create()
        body = {"workerGroup": "g", "workerId": "w"}
        self.assertEqual(len(self.ask("queue", "POST", "/claim-work/prov/type", body)["tasks"]), 1)
        for tasks in (0, 33, "1"):
            self.refused(
                "queue", 400, "InputValidationError", "POST", "/claim-work/prov/type", {**body, "tasks": tasks}
            )

    def test_a_queue_that_cannot_be(self) -> None:
        for queue in ("prov", "prov/Type", "a/b/c", "prov/type-"):
            self.refused("queue", 400, "InvalidRequestArguments", "POST", f"/claim-work/{queue}", WORKER)

    def test_a_task_past_its_deadline_is_nobodys(self) -> None:
        self.create(deadline=self.date(seconds=10))
        self.reactor.advance(11)
        self.assertFalse(self.wait().answered)


class Waiting(ClaimsTestCase):
    def test_an_empty_answer_after_twenty_seconds(self) -> None:
        pending = self.wait()
        self.reactor.advance(19.9)
        self.assertFalse(pending.answered)
        self.reactor.advance(0.1)
        self.assertEqual(self.claimed(pending), [])

    def test_a_new_task_is_handed_over_at_once(self) -> None:
        pending = self.wait()
        self.assertEqual([self.create()], self.claimed(pending))

    def test_not_to_those_who_wait_for_another_queue(self) -> None:
        pending = self.wait(queue="prov/other")
        self.create()
        self.assertFalse(pending.answered)

    def test_first_come_first_served(self) -> None:
        first, second = self.wait("first"), self.wait("second", tasks=5)
        one = self.create()
        self.assertFalse(second.answered)
        self.assertEqual((self.claimed(first), [self.create()]), ([one], self.claimed(second)))

    def test_a_retry_is_handed_over_as_well(self) -> None:
        run, credentials = self.run_of_own()
        pending = self.wait()
        self.ask("queue", "POST", f"{run}/exception", {"reason": "intermittent-task"}, credentials)
        self.assertEqual(len(self.claimed(pending)), 1)

    def test_who_hung_up_gets_nothing(self) -> None:
        gone, waiting = self.wait("gone"), self.wait("waiting")
        gone.hang_up()
        self.create()
        self.assertEqual(len(self.claimed(waiting)), 1)
        self.reactor.advance(30)

    def test_polls_can_be_ended(self) -> None:
        pending = [self.wait(), self.wait(queue="prov/other")]
        self.taskcluster.end_polls()
        self.assertEqual([self.claimed(one) for one in pending], [[], []])

    def test_stopping_answers_those_who_wait(self) -> None:
        pending = self.wait()
        self.stop(self.taskcluster)
        self.assertEqual(self.claimed(pending), [])
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], self.clock_of_the_log())

    def clock_of_the_log(self) -> list[object]:
        """What Twisted's own site leaves running while nobody calls its C{stopFactory}, which a real port does."""
        return [self.site._logDateTimeCall] if self.site._logDateTimeCall else []


class SlowDatabase(ClaimsTestCase):
    """What happens while a transaction is under way."""

    def setUp(self) -> None:
        super().setUp()
        self.held: list[Callable[[], object]] = []

    def hold(self) -> None:
        """From now on, let what threads do wait for L{release}."""

        def run(threads: InThisThread, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            self.held.append(lambda: execute(work, *args).chainDeferred(done))
            return done

        self.holding = self.patch(InThisThread, "run", run)

    def release(self) -> None:
        """Do what was held, and hold nothing any more."""
        self.holding.restore()
        while self.held:
            self.held.pop(0)()

    def test_who_hangs_up_while_a_claim_is_made_has_it_until_it_ends(self) -> None:
        task_id = self.create()
        self.hold()
        gone = self.wait("gone")
        gone.hang_up()
        self.release()
        run = self.status(task_id)["runs"][0]
        self.assertEqual((run["state"], run["workerId"]), ("running", "gone"))
        self.reactor.advance(1190)
        other = self.wait("other")
        self.reactor.advance(10)
        self.assertEqual(self.claimed(other), [task_id])

    def test_a_task_whose_creator_hangs_up_is_handed_out_all_the_same(self) -> None:
        waiting = self.wait()
        self.hold()
        self.begin("PUT", f"{QUEUE}/task/{NICE}", self.definition(), self.root).hang_up()
        self.release()
        self.assertEqual(self.claimed(waiting), [NICE])

    def test_much_at_once_goes_to_all_who_wait(self) -> None:
        for _ in range(70):
            self.create()
        self.hold()
        waiting = [self.wait(f"w{number}", tasks=32) for number in range(3)]
        self.release()
        self.assertEqual([len(self.claimed(one)) for one in waiting], [32, 32, 6])

    def test_what_goes_wrong_after_a_caller_has_gone_is_logged_unless_it_is_a_refusal(self) -> None:
        self.hold()
        self.begin("POST", f"{QUEUE}/task/{NICE}/runs/0/completed", None, self.root).hang_up()
        self.patch(Store, "definition", lambda *_: 1 / 0)
        self.release()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.ask("queue", "PUT", f"/task/{NICE}", self.definition())
        self.hold()
        self.begin("PUT", f"{QUEUE}/task/{NICE}", self.definition(), self.root).hang_up()
        self.release()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_comes_while_others_are_served_is_served_as_well(self) -> None:
        tasks = [self.create(), self.create()]
        self.hold()
        first, second = self.wait("first"), self.wait("second")
        self.release()
        self.assertEqual(self.claimed(first) + self.claimed(second), tasks)


class ByName(ClaimsTestCase):
    """claimTask, which workers of old use."""

    body: ClassVar[dict[str, str]] = {"workerGroup": "group", "workerId": "worker"}

    def test_a_claim_of_one_run(self) -> None:
        task_id = self.create(scopes=["its:own"])
        claim = self.ask("queue", "POST", f"/task/{task_id}/runs/0/claim", self.body)
        self.assertEqual((claim["runId"], claim["task"]["scopes"]), (0, ["its:own"]))
        self.ask(
            "queue", "POST", f"/task/{task_id}/runs/0/completed", None, Credentials.from_json(claim["credentials"])
        )
        worker = self.ask("queue", "GET", "/provisioners/prov/worker-types/type/workers/group/worker")
        self.assertEqual(worker["recentTasks"], [{"taskId": task_id, "runId": 0}])

    def test_what_cannot_be_claimed(self) -> None:
        run, _ = self.run_of_own()
        self.refused("queue", 409, "RequestConflict", "POST", f"{run}/claim", self.body)
        self.refused("queue", 404, "ResourceNotFound", "POST", f"{run.removesuffix('0')}7/claim", self.body)
        self.refused("queue", 404, "ResourceNotFound", "POST", f"/task/{NICE}/runs/0/claim", self.body)
        self.refused("queue", 400, "InputValidationError", "POST", f"{run}/claim", {})

    def test_nothing_for_who_is_in_quarantine(self) -> None:
        self.wait().hang_up()
        worker = "/provisioners/prov/worker-types/type/workers/group/worker"
        self.ask("queue", "PUT", worker, {"quarantineUntil": self.date(hours=1)})
        path = f"/task/{self.create()}/runs/0/claim"
        self.refused("queue", 409, "RequestConflict", "POST", path, self.body)

    def test_who_may(self) -> None:
        path = f"/task/{self.create()}/runs/0/claim"
        scopes = ["queue:claim-task:prov/type", "queue:worker-id:group/worker"]
        for scope in scopes:
            others = self.with_scopes(scope)
            self.refused("queue", 403, "InsufficientScopes", "POST", path, self.body, others)
        self.ask("queue", "POST", path, self.body, self.with_scopes(*scopes))


class Reclaiming(ClaimsTestCase):
    def test_it_lasts_longer_with_new_credentials(self) -> None:
        run, credentials = self.run_of_own()
        self.reactor.advance(600)
        answer = self.ask("queue", "POST", f"{run}/reclaim", None, credentials)
        self.assertEqual(set(answer), {"status", "runId", "workerGroup", "workerId", "takenUntil", "credentials"})
        self.assertEqual(answer["takenUntil"], "2027-01-15T08:30:00.000Z")
        self.reactor.advance(900)
        self.ask("queue", "POST", f"{run}/completed", None, Credentials.from_json(answer["credentials"]))

    def test_a_claim_that_nobody_extends_is_given_to_another(self) -> None:
        run, credentials = self.run_of_own()
        pending = self.wait("another")
        self.taskcluster.end_polls()
        self.assertEqual(self.claimed(pending), [])
        self.reactor.advance(1190)
        pending = self.wait("another")
        self.reactor.advance(10)
        [claim] = pending.answer().json["tasks"]
        self.assertEqual(claim["runId"], 1)
        self.assertEqual(claim["status"]["runs"][0]["reasonResolved"], "claim-expired")
        self.refused("queue", 409, "RequestConflict", "POST", f"{run}/completed", None, credentials)

    def test_not_after_the_deadline(self) -> None:
        run, credentials = self.run_of_own(deadline=self.date(seconds=10))
        self.reactor.advance(11)
        self.refused("queue", 409, "RequestConflict", "POST", f"{run}/reclaim", None, credentials)

    def test_of_a_run_that_never_was(self) -> None:
        run, _ = self.run_of_own()
        self.refused("queue", 404, "ResourceNotFound", "POST", f"{run.removesuffix('0')}7/reclaim")


class ShortTimes(ClaimsTestCase):
    times = Times(claim=2, poll=1)

    def test_they_are_what_was_asked_for(self) -> None:
        pending = self.wait()
        self.reactor.advance(1)
        self.assertEqual(self.claimed(pending), [])
        self.create()
        self.assertEqual(self.claim()["takenUntil"], "2027-01-15T08:00:03.000Z")
