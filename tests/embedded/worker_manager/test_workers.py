"""Workers that somebody makes by hand."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.embedded.worker_manager.case import POOL, PREFIX, SECRET, WORKER, PoolTestCase


class Making(PoolTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.create_pool()
        self.take_told()

    def test_it_runs_from_the_start(self) -> None:
        worker = self.create_worker(expires=self.date(days=1))
        self.assertEqual(
            worker,
            {
                **{"workerPoolId": POOL, "workerGroup": "group", "workerId": "worker", "providerId": "static"},
                "created": "2027-01-15T08:00:00.000Z",
                "expires": "2027-01-16T08:00:00.000Z",
                "lastModified": "2027-01-15T08:00:00.000Z",
                "lastChecked": "2027-01-15T08:00:00.000Z",
                "capacity": 1,
                "state": "running",
            },
        )
        self.assertEqual(self.ask("worker-manager", "GET", WORKER), worker)

    def test_the_secret_is_never_answered(self) -> None:
        for answer in (
            self.create_worker(),
            self.ask("worker-manager", "GET", WORKER),
            self.ask("worker-manager", "GET", "/workers/prov%2Ftype"),
        ):
            self.assertNotIn(SECRET, str(answer))

    def test_a_refusal_does_not_repeat_the_secret(self) -> None:
        secret = "x" * 43
        body = self.worker(providerInfo={"staticSecret": secret})
        answer = self.call("PUT", PREFIX + WORKER, body)
        self.assertRefused(answer, 400, "InputValidationError")
        self.assertEqual(answer.json["requestInfo"]["payload"]["providerInfo"], {"staticSecret": "(OMITTED)"})
        self.assertNotIn(secret, answer.content.decode())

    def test_again_with_the_same_secret_and_no_other(self) -> None:
        worker = self.create_worker()
        self.assertEqual(self.create_worker(capacity=5), worker)
        self.refused(
            "worker-manager", 400, "InputError", "PUT", WORKER, self.worker(providerInfo={"staticSecret": "t" * 44})
        )

    def test_what_can_be_wrong_with_one(self) -> None:
        self.refused("worker-manager", 400, "InputError", "PUT", WORKER, {"expires": self.date(days=1)})
        self.refused("worker-manager", 400, "InputError", "PUT", WORKER, self.worker(expires=self.date(days=-1)))
        self.refused("worker-manager", 400, "InputValidationError", "PUT", WORKER, self.worker(capacity=0))
        self.refused("worker-manager", 404, "ResourceNotFound", "PUT", WORKER.replace("type", "other"), self.worker())
        self.refused(
            "worker-manager", 400, "InvalidRequestArguments", "PUT", "/workers/prov%2Ftype/a.b/c", self.worker()
        )

    def test_a_slash_in_a_pool_must_be_encoded(self) -> None:
        self.assertEqual(self.call("PUT", "/api/worker-manager/v1/workers/prov/type/group/worker").status, 404)
        self.refused("worker-manager", 400, "InvalidRequestArguments", "GET", "/workers/prov/type/group/worker")

    def test_by_the_historic_path(self) -> None:
        worker = self.ask("worker-manager", "PUT", "/workers/prov%2Ftype:/group/worker", self.worker())
        self.assertEqual(self.ask("worker-manager", "GET", "/workers/prov%2Ftype:/group/worker"), worker)
        self.assertEqual(self.ask("worker-manager", "GET", "/workers/prov%2Ftype:/group"), {"workers": [worker]})

    def test_it_is_changed(self) -> None:
        self.create_worker()
        other = "t" * 44
        changed = self.worker(providerInfo={"staticSecret": other}, capacity=3, expires=self.date(days=2))
        self.assertEqual(self.ask("worker-manager", "POST", WORKER, changed)["capacity"], 3)
        self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", self.application())
        self.register({"staticSecret": other})
        self.refused("worker-manager", 404, "ResourceNotFound", "POST", WORKER.replace("group", "other"), changed)

    def test_an_end_in_the_past_makes_it_expire(self) -> None:
        self.create_worker()
        self.ask("worker-manager", "POST", WORKER, self.worker(expires=self.date(seconds=-1)))
        message = self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", self.application())
        self.assertIn("has expired", message)

    def test_it_is_removed_and_nobody_is_told(self) -> None:
        self.create_worker()
        self.assertEqual(self.ask("worker-manager", "DELETE", WORKER), {})
        self.assertEqual(self.ask("worker-manager", "GET", WORKER)["state"], "stopped")
        self.assertEqual(self.take_told(), [])
        self.refused("worker-manager", 404, "ResourceNotFound", "DELETE", WORKER.replace("group", "other"))

    def test_it_is_forgotten_a_day_after_its_end(self) -> None:
        self.create_worker(expires=self.date(hours=1))
        self.reactor.pump([3600] * 20)
        self.ask("worker-manager", "GET", WORKER)
        self.reactor.pump([3600] * 10)
        self.refused("worker-manager", 404, "ResourceNotFound", "GET", WORKER)


class Listing(PoolTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.create_pool()
        for name in ("a/2", "a/1", "b/1"):
            self.ask("worker-manager", "PUT", f"/workers/prov%2Ftype/{name}", self.worker())
        self.ask("worker-manager", "DELETE", "/workers/prov%2Ftype/a/2")

    def names(self, path: str) -> list[str]:
        return [f"{one['workerGroup']}/{one['workerId']}" for one in self.ask("worker-manager", "GET", path)["workers"]]

    def test_in_pages(self) -> None:
        page = self.ask("worker-manager", "GET", "/workers/prov%2Ftype?limit=2")
        self.assertEqual(len(page["workers"]), 2)
        self.assertEqual(self.names(f"/workers/prov%2Ftype?continuationToken={page['continuationToken']}"), ["b/1"])

    def test_some_of_them(self) -> None:
        self.assertEqual(self.names("/workers/prov%2Ftype/a"), ["a/1", "a/2"])
        self.assertEqual(self.names("/workers/prov%2Ftype?state=stopped"), ["a/2"])
        self.assertEqual(self.names("/workers/prov%2Ftype?launchConfigId=x"), [])
        self.refused("worker-manager", 400, "InvalidRequestArguments", "GET", "/workers/prov%2Ftype?state=gone")

    def test_of_a_pool_that_is_not_there(self) -> None:
        self.refused("worker-manager", 404, "ResourceNotFound", "GET", "/workers/prov%2Fother")
        self.assertEqual(self.names("/workers/prov%2Fother/group"), [])


class ShouldTerminate(PoolTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.create_pool(), self.create_worker(), self.create_worker("other")

    def asks(self, worker: str = "worker") -> tuple[bool, str]:
        answer = self.ask("worker-manager", "GET", f"/workers/prov%2Ftype/group/{worker}/should-terminate")
        return answer["terminate"], answer["reason"]

    def say(self, worker: tuple[str, str] | None, reason: str | None) -> None:
        saying = Deferred.fromCoroutine(self.taskcluster.worker_manager.ask_to_terminate(POOL, worker, reason))
        self.successResultOf(saying)

    def test_not_by_itself(self) -> None:
        self.assertEqual(self.asks(), (False, "none"))
        self.refused(
            "worker-manager", 404, "ResourceNotFound", "GET", WORKER.replace("group", "x") + "/should-terminate"
        )

    def test_one_that_was_asked(self) -> None:
        self.say(("group", "worker"), "too many")
        self.assertEqual((self.asks(), self.asks("other")), ((True, "too many"), (False, "none")))
        self.say(("group", "worker"), None)
        self.assertEqual(self.asks(), (False, "none"))

    def test_all_of_a_pool_also_after_a_restart(self) -> None:
        self.say(None, "new image")
        self.stop(self.taskcluster)
        self.taskcluster = self.start()
        self.assertEqual(self.asks("other"), (True, "new image"))
