"""The worker-manager, for pools whose workers are made by hand (contracts of the queue, 4.1 to 4.4)."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.conformance.callers import Credentials
from tests.conformance.case import ConformanceTestCase, date, names, new_id, random_name, when

FOUR_DAYS = 96 * 3600


class PoolTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.manager = self.root.worker_manager
        self.pool = self.task_queue
        self.worker = (self.pool, self.worker_group, self.worker_id)
        self.provider = self.static_provider()
        self.secret = new_id() + new_id()

    def static_provider(self) -> str:
        providers = self.manager.listProviders()["providers"]
        static = [provider["providerId"] for provider in providers if provider["providerType"] == "static"]
        if not static:
            self.skipTest("the deployment has no provider of static workers")
        return str(static[0])

    def definition(self, **more: Any) -> dict[str, Any]:
        own = {"providerId": self.provider, "description": "Of a conformance suite.", "owner": "nobody@example.com"}
        return {**own, "emailOnError": False, "config": {"workerConfig": {"a": {"b": 1}}}, **more}

    def make_pool(self, **more: Any) -> Any:
        made = self.manager.createWorkerPool(self.pool, self.definition(**more))
        self.addCleanup(self.manager.deleteWorkerPool, self.pool)
        return made

    def make_worker(self, **more: Any) -> Any:
        body = {"expires": date(hours=1), "capacity": 2, "providerInfo": {"staticSecret": self.secret}, **more}
        return self.manager.createWorker(*self.worker, body)

    def register(self, **more: Any) -> Any:
        own = dict(zip(("workerPoolId", "workerGroup", "workerId"), self.worker, strict=True))
        asked = {**own, "providerId": self.provider, "workerIdentityProof": {"staticSecret": self.secret}, **more}
        return self.deployment.services(None).worker_manager.registerWorker(asked)

    def registered(self) -> Any:
        self.make_pool()
        self.make_worker()
        return self.register()


class Pools(PoolTestCase):
    def test_what_is_known_of_one(self) -> None:
        made = self.make_pool()
        known = self.manager.workerPool(self.pool)
        self.assertEqual(known["workerPoolId"], self.pool)
        self.assertEqual({name: known[name] for name in self.definition()}, self.definition())
        self.assertEqual({name: made[name] for name in self.definition()}, self.definition())
        for name in ("created", "lastModified"):
            self.assertIn(name, known)
        listed: list[Any] = []
        self.manager.listWorkerPools(paginationHandler=lambda page: listed.extend(page["workerPools"]))
        self.assertIn(self.pool, names(listed, "workerPoolId"))

    def test_a_change(self) -> None:
        self.make_pool()
        changed = self.manager.updateWorkerPool(self.pool, self.definition(description="Changed."))
        self.assertEqual(changed["description"], "Changed.")
        self.assertEqual(self.manager.workerPool(self.pool)["description"], "Changed.")

    def test_refused(self) -> None:
        for call in (self.manager.workerPool, self.manager.deleteWorkerPool):
            with self.refused("ResourceNotFound"):
                call(self.pool)
        with self.refused("ResourceNotFound"):
            self.manager.updateWorkerPool(self.pool, self.definition())
        self.make_pool()
        with self.refused("RequestConflict"):
            self.manager.createWorkerPool(self.pool, self.definition(description="Another."))
        for change in ({"more": 1}, {"config": []}, {"emailOnError": "no"}):
            with self.refused("InputValidationError"):
                self.manager.updateWorkerPool(self.pool, self.definition(**change))
        with self.refused("InputError"):
            self.manager.updateWorkerPool(self.pool, self.definition(providerId=random_name("p")))


class Workers(PoolTestCase):
    def test_what_is_known_of_one(self) -> None:
        self.make_pool()
        made = self.make_worker()
        known = self.manager.worker(*self.worker)
        for told in (made, known):
            self.assertEqual(
                {name: told[name] for name in ("workerPoolId", "workerGroup", "workerId", "providerId")},
                {
                    **dict(zip(("workerPoolId", "workerGroup", "workerId"), self.worker, strict=True)),
                    "providerId": self.provider,
                },
            )
            self.assertEqual((told["state"], told["capacity"]), ("running", 2))
            self.assertNotIn(self.secret, json.dumps(told))
        workers = self.manager.listWorkersForWorkerPool(self.pool)["workers"]
        self.assertEqual(names(workers, "workerId"), [self.worker_id])
        workers = self.manager.listWorkersForWorkerGroup(self.pool, self.worker_group)["workers"]
        self.assertEqual(names(workers, "workerId"), [self.worker_id])

    def test_refused(self) -> None:
        with self.refused("ResourceNotFound"):
            self.make_worker()
        self.make_pool()
        for call in (self.manager.worker, self.manager.removeWorker, self.manager.shouldWorkerTerminate):
            with self.refused("ResourceNotFound"):
                call(*self.worker)
        with self.refused("InputError"):
            self.make_worker(expires=date(hours=-1))

    def test_a_change(self) -> None:
        self.registered()
        self.secret = new_id() + new_id()
        with self.refused("InputError"):
            self.register()
        body = {"expires": date(hours=2), "capacity": 5, "providerInfo": {"staticSecret": self.secret}}
        self.assertEqual(self.manager.updateWorker(*self.worker, body)["capacity"], 5)
        self.register()

    def test_removed(self) -> None:
        self.registered()
        self.assertEqual(self.manager.removeWorker(*self.worker), {})
        self.assertEqual(self.manager.worker(*self.worker)["state"], "stopped")
        with self.refused("InputError"):
            self.register()

    def test_whether_to_go(self) -> None:
        self.registered()
        told = self.manager.shouldWorkerTerminate(*self.worker)
        self.assertEqual((told["terminate"], set(told)), (False, {"terminate", "reason"}))


class Registration(PoolTestCase):
    def test_what_a_worker_gets(self) -> None:
        told = self.registered()
        self.assertEqual(set(told), {"expires", "credentials", "workerConfig", "secret"})
        self.assertEqual(told["workerConfig"], {"a": {"b": 1}})
        self.assertRegex(told["secret"], r"^[A-Za-z0-9_-]{44}$")
        self.assertAlmostEqual(when(told["expires"]) - time.time(), FOUR_DAYS, delta=60)
        credentials = Credentials.from_json(told["credentials"])
        path = "/".join(self.worker)
        self.assertEqual(credentials.client_id, f"worker/{self.provider}/{path}")
        certificate = json.loads(credentials.certificate or "")
        self.assertAlmostEqual(certificate["start"] / 1000, time.time() - 15 * 60, delta=60)
        self.assertAlmostEqual(certificate["expiry"] / 1000, when(told["expires"]), delta=1)
        identity = f"{self.worker_group}/{self.worker_id}"
        self.assertEqual(
            set(certificate["scopes"]),
            {
                f"assume:worker-type:{self.pool}",
                f"assume:worker-pool:{self.pool}",
                f"assume:worker-id:{identity}",
                f"queue:worker-id:{identity}",
                f"queue:claim-work:{self.pool}",
                f"secrets:get:worker-type:{self.pool}",
                f"secrets:get:worker-pool:{self.pool}",
                *(
                    f"worker-manager:{right}:{path}"
                    for right in ("remove-worker", "reregister-worker", "should-worker-terminate")
                ),
            },
        )

    def test_they_are_good_for_work(self) -> None:
        services = self.deployment.services(Credentials.from_json(self.registered()["credentials"]))
        task_id = self.create_task()
        [held] = self.claim_work(services=services)
        self.assertEqual(held.task_id, task_id)
        services.worker_manager.shouldWorkerTerminate(*self.worker)
        services.worker_manager.removeWorker(*self.worker)

    def create_task(self) -> str:
        task_id = new_id()
        self.queue.createTask(task_id, ConformanceTestCase.definition(self))
        return task_id

    def test_how_long(self) -> None:
        self.make_pool(config={"lifecycle": {"reregistrationTimeout": 3600}})
        self.make_worker()
        told = self.register()
        self.assertAlmostEqual(when(told["expires"]) - time.time(), 3600, delta=60)
        self.assertEqual(told["workerConfig"], {})

    def test_again(self) -> None:
        first = self.registered()
        self.assertNotEqual(self.register()["secret"], first["secret"])

    def test_who_is_not_known(self) -> None:
        with self.refused("ResourceNotFound"):
            self.register()
        self.make_pool()
        with self.refused("ResourceNotFound"):
            self.register()
        with self.refused("ResourceNotFound"):
            self.register(providerId=random_name("p"))

    def test_a_proof_that_is_none(self) -> None:
        self.make_pool()
        self.make_worker()
        with self.refused("InputError"):
            self.register(workerIdentityProof={"staticSecret": new_id() + new_id()})
        for proof in ({}, {"staticSecret": "short"}, {"staticSecret": self.secret, "token": "x"}):
            with self.refused("InputValidationError"):
                self.register(workerIdentityProof=proof)


class Reregistration(PoolTestCase):
    def reregister(self, registered: Any, **more: Any) -> Any:
        services = self.deployment.services(Credentials.from_json(registered["credentials"]))
        own = dict(zip(("workerPoolId", "workerGroup", "workerId"), self.worker, strict=True))
        return services.worker_manager.reregisterWorker({**own, "secret": registered["secret"], **more})

    def test_a_secret_is_for_once(self) -> None:
        first = self.registered()
        second = self.reregister(first)
        self.assertEqual(set(second), {"expires", "credentials", "secret"})
        self.assertNotEqual(second["secret"], first["secret"])
        with self.refused("InputError"):
            self.reregister(first)
        self.reregister(second)

    def test_a_wrong_one(self) -> None:
        registered = self.registered()
        with self.refused("InputError"):
            self.reregister(registered, secret=new_id() + new_id())

    def test_somebody_else(self) -> None:
        registered = self.registered()
        with self.refused("InsufficientScopes"):
            self.reregister(registered, workerId="another")

    def test_one_that_was_removed(self) -> None:
        registered = self.registered()
        self.manager.removeWorker(*self.worker)
        with self.refused("InputError"):
            self.reregister(registered)


class Errors(PoolTestCase):
    def report(self, services: Any, **more: Any) -> Any:
        own = {"workerGroup": self.worker_group, "workerId": self.worker_id, "kind": "startup-error"}
        body = {**own, "title": "It did not start", "description": "At all.", "extra": {"a": 1}, **more}
        return services.worker_manager.reportWorkerError(self.pool, body)

    def test_reported_by_the_worker(self) -> None:
        services = self.deployment.services(Credentials.from_json(self.registered()["credentials"]))
        told = self.report(services)
        identity = {"workerGroup": self.worker_group, "workerId": self.worker_id}
        self.assertEqual(
            {name: told[name] for name in ("workerPoolId", "kind", "title", "description", "extra")},
            {
                "workerPoolId": self.pool,
                "kind": "startup-error",
                "title": "It did not start",
                "description": "At all.",
                "extra": {"a": 1, **identity},
            },
        )
        self.assertIn("errorId", told)
        self.assertIn("reported", told)
        errors = self.manager.listWorkerPoolErrors(self.pool)["workerPoolErrors"]
        self.assertEqual(names(errors, "errorId"), [told["errorId"]])

    def test_refused(self) -> None:
        with self.refused("ResourceNotFound"):
            self.report(self.root)
        services = self.deployment.services(Credentials.from_json(self.registered()["credentials"]))
        with self.refused("InsufficientScopes"):
            self.report(services, workerId="another")
        for change in ({"kind": "UPPER"}, {"title": "x" * 129}, {"extra": []}, {"more": 1}):
            with self.refused("InputValidationError"):
                self.report(services, **change)
