"""How a static worker gets its credentials, and new ones."""

from __future__ import annotations

import json
from typing import Any

from tcworker.interfaces import Credentials
from tests.embedded.wire import START
from tests.embedded.wire import WORKER as CLAIM
from tests.embedded.worker_manager.case import POOL, PREFIX, SECRET, WORKER, PoolTestCase

OWN = f"{POOL}/group/worker"
SCOPES = {
    f"assume:worker-type:{POOL}",
    f"assume:worker-pool:{POOL}",
    "assume:worker-id:group/worker",
    "queue:worker-id:group/worker",
    f"queue:claim-work:{POOL}",
    f"secrets:get:worker-type:{POOL}",
    f"secrets:get:worker-pool:{POOL}",
    f"worker-manager:remove-worker:{OWN}",
    f"worker-manager:reregister-worker:{OWN}",
    f"worker-manager:should-worker-terminate:{OWN}",
}


class RegistrationTestCase(PoolTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.create_pool(config={"lifecycle": {"reregistrationTimeout": 3600}, "workerConfig": {"a": {"b": 1}}})
        self.create_worker(expires=self.date(days=30))

    def certificate(self, registered: Any) -> Any:
        return json.loads(registered["credentials"]["certificate"])

    def reregister(self, secret: str, credentials: Credentials | None = None) -> Any:
        return self.ask("worker-manager", "POST", "/worker/reregister", self.renewal(secret), credentials)

    def renewal(self, secret: str, **more: Any) -> dict[str, Any]:
        return {"workerPoolId": POOL, "workerGroup": "group", "workerId": "worker", "secret": secret, **more}

    def not_renewed(self, message: str, body: Any) -> None:
        message = self.refused("worker-manager", 400, "InputError", "POST", "/worker/reregister", body)
        self.assertIn(message, message)


class Registering(RegistrationTestCase):
    def test_all_that_a_worker_needs(self) -> None:
        registered = self.register(systemBootTime=self.date(minutes=-1))
        self.assertEqual(set(registered), {"expires", "credentials", "workerConfig", "secret"})
        self.assertEqual(registered["workerConfig"], {"a": {"b": 1}})
        self.assertRegex(registered["secret"], "^[A-Za-z0-9_-]{44}$")
        self.assertEqual(registered["expires"], "2027-01-15T09:00:00.000Z")

    def test_the_credentials(self) -> None:
        registered = self.register()
        certificate = self.certificate(registered)
        self.assertEqual(registered["credentials"]["clientId"], f"worker/static/{OWN}")
        self.assertEqual(set(certificate["scopes"]), SCOPES)
        self.assertEqual(certificate["start"], (START - 900) * 1000)
        self.assertEqual(certificate["expiry"], (START + 3600) * 1000)

    def test_they_are_good_for_what_a_worker_does(self) -> None:
        own = Credentials.from_json(self.register()["credentials"])
        task_id = self.create()
        [claim] = self.ask("queue", "POST", "/claim-work/prov%2Ftype", CLAIM, own)["tasks"]
        self.assertEqual(claim["status"]["taskId"], task_id)
        self.assertEqual(self.ask("worker-manager", "GET", f"{WORKER}/should-terminate", None, own)["terminate"], False)
        self.refused("worker-manager", 403, "InsufficientScopes", "DELETE", WORKER.replace("group", "other"), None, own)
        self.ask("worker-manager", "DELETE", WORKER, None, own)

    def test_four_days_unless_the_pool_says_otherwise(self) -> None:
        self.ask("worker-manager", "POST", f"/worker-pool/{POOL}", self.pool(config={}))
        registered = self.register()
        self.assertEqual((registered["expires"], registered["workerConfig"]), ("2027-01-19T08:00:00.000Z", {}))

    def test_no_scopes_are_needed_and_a_worker_may_come_again(self) -> None:
        for _ in range(2):
            pending = self.begin("POST", "/api/worker-manager/v1/worker/register", self.application())
            self.assertEqual(pending.answer().status, 200)

    def test_who_is_not_known(self) -> None:
        for unknown in ({"workerPoolId": "prov/other"}, {"providerId": "other"}, {"workerId": "other"}):
            body = self.application(**unknown)
            message = self.refused("worker-manager", 404, "ResourceNotFound", "POST", "/worker/register", body)
            self.assertIn("does not exist", message)

    def test_who_proves_nothing(self) -> None:
        for proof, message in (({"staticSecret": "t" * 44}, "bad staticSecret"), ({"token": "x"}, "missing")):
            body = self.application(proof)
            message = self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", body)
            self.assertIn(message, message)

    def test_who_belongs_to_another_provider(self) -> None:
        body = self.application(providerId="null-provider")
        message = self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", body)
        self.assertIn("not associated", message)

    def test_who_has_been_removed(self) -> None:
        self.ask("worker-manager", "DELETE", WORKER)
        self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", self.application())

    def test_a_refusal_repeats_nothing_of_a_proof(self) -> None:
        proof = {"staticSecret": "t" * 44}
        answer = self.call("POST", f"{PREFIX}/worker/register", self.application(proof))
        self.assertRefused(answer, 400, "InputError")
        self.assertEqual(answer.json["requestInfo"]["payload"], "(OMITTED)")
        for bad in ({"staticSecret": "t" * 43}, {"staticSecret": SECRET, "token": ""}):
            answer = self.call("POST", f"{PREFIX}/worker/register", self.application(bad))
            self.assertRefused(answer, 400, "InputValidationError")
            self.assertNotIn(bad["staticSecret"], answer.content.decode())


class Reregistering(RegistrationTestCase):
    def test_the_secret_is_good_once(self) -> None:
        secret = self.register()["secret"]
        renewed = self.reregister(secret)
        self.assertEqual(set(renewed), {"expires", "credentials", "secret"})
        self.assertEqual(set(self.certificate(renewed)["scopes"]), SCOPES)
        self.not_renewed("Could not generate credentials for this secret", self.renewal(secret))
        self.reregister(renewed["secret"])

    def test_by_the_credentials_that_it_got(self) -> None:
        registered = self.register()
        own = Credentials.from_json(registered["credentials"])
        self.reregister(registered["secret"], own)
        other = self.with_scopes("a")
        self.refused(
            "worker-manager", 403, "InsufficientScopes", "POST", "/worker/reregister", self.renewal(SECRET), other
        )

    def test_to_register_again_makes_the_secret_worthless(self) -> None:
        secret = self.register()["secret"]
        self.register()
        self.not_renewed("Could not generate", self.renewal(secret))

    def test_who_never_registered_or_is_not_known(self) -> None:
        self.not_renewed("Could not generate", self.renewal(SECRET))
        self.not_renewed("Could not generate", self.renewal(SECRET, workerId="other"))

    def test_a_secret_that_cannot_be_one(self) -> None:
        answer = self.call("POST", f"{PREFIX}/worker/reregister", self.renewal("short-one"))
        self.assertRefused(answer, 400, "InputValidationError")
        self.assertNotIn("short-one", answer.content.decode())

    def test_who_does_not_run_or_has_expired(self) -> None:
        secret = self.register()["secret"]
        self.ask("worker-manager", "POST", WORKER, self.worker(expires=self.date(seconds=-1)))
        self.not_renewed("has expired", self.renewal(secret))
        self.ask("worker-manager", "DELETE", WORKER)
        self.not_renewed("is not running", self.renewal(secret))

    def test_the_credentials_last_as_long_as_the_first_ones(self) -> None:
        registered = self.register()
        self.reactor.advance(60)
        renewed = self.reregister(registered["secret"])
        self.assertEqual(registered["expires"], "2027-01-15T09:00:00.000Z")
        self.assertEqual(renewed["expires"], "2027-01-15T09:01:00.000Z")

    def test_another_time_that_the_pool_says_counts_from_the_next_registration_on(self) -> None:
        secret = self.register()["secret"]
        self.ask(
            "worker-manager",
            "POST",
            f"/worker-pool/{POOL}",
            self.pool(config={"lifecycle": {"reregistrationTimeout": 7200}}),
        )
        self.assertEqual(self.reregister(secret)["expires"], "2027-01-15T09:00:00.000Z")
        self.assertEqual(self.reregister(self.register()["secret"])["expires"], "2027-01-15T10:00:00.000Z")

    def test_it_goes_on_after_a_restart(self) -> None:
        secret = self.register()["secret"]
        self.stop(self.taskcluster)
        self.taskcluster = self.start()
        self.reregister(secret)
