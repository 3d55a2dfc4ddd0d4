"""Pools, their launch configurations, and who provides their workers."""

from __future__ import annotations

from typing import Any

from tests.embedded.worker_manager.case import POOL, WORKER, PoolTestCase

PATH = f"/worker-pool/{POOL}"
UNDERSCORES = "primary._._._._._._._"


class Pools(PoolTestCase):
    def test_a_pool_is_answered_with_its_capacity(self) -> None:
        pool = self.create_pool()
        self.assertEqual(self.ask("worker-manager", "GET", "/worker-pool/prov%2Ftype"), pool)
        self.assertEqual({name: pool[name] for name in self.pool()}, self.pool())
        self.assertEqual((pool["workerPoolId"], pool["created"]), (POOL, "2027-01-15T08:00:00.000Z"))
        self.create_worker(capacity=3), self.create_worker("gone", capacity=4)
        self.ask("worker-manager", "DELETE", "/workers/prov%2Ftype/group/gone")
        counted = self.ask("worker-manager", "GET", PATH)
        self.assertEqual(
            {name: counted[name] for name in counted if name.endswith(("Count", "Capacity"))},
            {
                "currentCapacity": 3,
                **{"requestedCount": 0, "runningCount": 1, "stoppingCount": 0, "stoppedCount": 1},
                **{"requestedCapacity": 0, "runningCapacity": 3, "stoppingCapacity": 0, "stoppedCapacity": 4},
            },
        )

    def test_the_same_pool_may_be_created_again_and_no_other(self) -> None:
        pool = self.create_pool()
        self.reactor.advance(1)
        self.assertEqual(self.create_pool(), pool)
        self.refused("worker-manager", 409, "RequestConflict", "PUT", PATH, self.pool(owner="you@example.com"))

    def test_what_can_be_wrong_with_one(self) -> None:
        faults: list[dict[str, Any]] = [{"x": 1}, {"owner": "me"}, {"providerId": "a.b"}, {"config": []}]
        for fault in faults:
            self.refused("worker-manager", 400, "InputValidationError", "PUT", PATH, self.pool(**fault))
        lifecycles: list[dict[str, Any]] = [
            {"reregistrationTimeout": -5},
            {"reregistrationTimeout": 2_592_001},
            {"y": 1},
        ]
        for config in ({"x": 1}, *({"lifecycle": lifecycle} for lifecycle in lifecycles)):
            self.refused("worker-manager", 400, "InputValidationError", "PUT", PATH, self.pool(config=config))
        self.refused("worker-manager", 400, "InputError", "PUT", PATH, self.pool(providerId="other"))
        self.refused("worker-manager", 400, "InvalidRequestArguments", "PUT", "/worker-pool/prov/Type", self.pool())
        self.refused("worker-manager", 404, "ResourceNotFound", "GET", PATH)

    def test_who_may_have_one(self) -> None:
        scopes = [f"worker-manager:manage-worker-pool:{POOL}"]
        message = self.refused(
            "worker-manager", 403, "InsufficientScopes", "PUT", PATH, self.pool(), self.with_scopes(*scopes)
        )
        self.assertIn("worker-manager:provider:static", message)
        self.ask(
            "worker-manager", "PUT", PATH, self.pool(), self.with_scopes(*scopes, "worker-manager:provider:static")
        )

    def test_a_pool_that_was_read_can_be_changed_and_put_back(self) -> None:
        pool = self.create_pool()
        self.reactor.advance(1)
        names = ("workerPoolId", "created", "lastModified", *self.pool())
        changed = self.ask(
            "worker-manager", "POST", PATH, {**{name: pool[name] for name in names}, "description": "other"}
        )
        self.assertEqual((changed["description"], changed["created"]), ("other", pool["created"]))
        self.assertEqual(changed["lastModified"], "2027-01-15T08:00:01.000Z")
        self.refused("worker-manager", 400, "InputError", "POST", PATH, {**self.pool(), "workerPoolId": "prov/other"})
        self.refused("worker-manager", 404, "ResourceNotFound", "POST", "/worker-pool/prov/other", self.pool())

    def test_what_is_told(self) -> None:
        self.create_pool()
        self.ask("worker-manager", "POST", PATH, self.pool(description="other"))
        self.ask("worker-manager", "DELETE", PATH)
        named = {"workerPoolId": POOL, "providerId": "static"}
        self.assertEqual(
            self.take_told(),
            [
                ("worker-pool-created", UNDERSCORES, named),
                ("worker-pool-updated", UNDERSCORES, {**named, "previousProviderId": "static"}),
                (
                    "worker-pool-updated",
                    UNDERSCORES,
                    {"workerPoolId": POOL, "providerId": "null-provider", "previousProviderId": "static"},
                ),
            ],
        )

    def test_a_pool_that_is_given_up_goes_when_its_workers_are_gone(self) -> None:
        self.create_pool(), self.create_worker()
        self.assertEqual(self.ask("worker-manager", "DELETE", PATH)["providerId"], "null-provider")
        self.refused("worker-manager", 400, "InputError", "PUT", WORKER, self.worker())
        self.reactor.pump([3600] * 24)
        self.ask("worker-manager", "GET", PATH)
        self.reactor.pump([3600] * 30)
        self.refused("worker-manager", 404, "ResourceNotFound", "GET", PATH)

    def test_its_former_provider_still_admits_its_workers(self) -> None:
        self.create_pool(), self.create_worker()
        self.ask("worker-manager", "DELETE", PATH)
        registered = self.register()
        self.assertEqual(registered["credentials"]["clientId"], "worker/static/prov/type/group/worker")
        self.assertEqual(self.ask("worker-manager", "GET", WORKER)["providerId"], "static")

    def test_all_of_them_in_pages(self) -> None:
        for name in ("b", "a", "c"):
            self.ask("worker-manager", "PUT", f"/worker-pool/prov/{name}", self.pool())
        page = self.ask("worker-manager", "GET", "/worker-pools?limit=2")
        self.assertEqual([one["workerPoolId"] for one in page["workerPools"]], ["prov/a", "prov/b"])
        rest = self.ask("worker-manager", "GET", f"/worker-pools/stats?continuationToken={page['continuationToken']}")
        self.assertEqual([one["workerPoolId"] for one in rest["workerPoolsStats"]], ["prov/c"])
        self.assertEqual(rest["workerPoolsStats"][0]["runningCount"], 0)
        self.assertNotIn("continuationToken", rest)


class ProvidersThatAreThere(PoolTestCase):
    def test_they_are_listed(self) -> None:
        providers = self.ask("worker-manager", "GET", "/providers")["providers"]
        self.assertIn({"providerId": "static", "providerType": "static"}, providers)
        self.assertEqual([one["providerId"] for one in providers], ["aws", "azure", "google", "static"])
        page = self.ask("worker-manager", "GET", "/providers?limit=1")
        self.assertEqual(page["providers"], providers[:1])
        self.assertIn("continuationToken", page)

    def test_a_cloud_without_keys_is_not_set_up(self) -> None:
        config = {"minCapacity": 0, "maxCapacity": 1, "launchConfigs": []}
        for provider in ("aws", "google", "azure"):
            self.refused(
                "worker-manager", 503, "ProviderSetupFailed", "PUT", PATH, self.pool(providerId=provider, config=config)
            )
