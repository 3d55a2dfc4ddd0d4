"""Machines of clouds: asked for, proving who they are, and removed."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

import jwt
from twisted.internet.defer import Deferred

from tcworker.embedded.faults import ApiError
from tcworker.embedded.worker_manager.service import Machine
from tcworker.interfaces import Credentials
from tests.embedded.wire import START
from tests.embedded.wire import WORKER as CLAIM
from tests.embedded.worker_manager import clouds
from tests.embedded.worker_manager.case import POOL, WORKER, PoolTestCase
from tests.embedded.worker_manager.clouds import DOCUMENT, aws, azure, certificate, google

CONFIG = {
    "minCapacity": 0,
    "maxCapacity": 3,
    "lifecycle": {"reregistrationTimeout": 7200, "registrationTimeout": 600, "queueInactivityTimeout": 1200},
    "launchConfigs": [
        {"workerConfig": {"a": 1}, "workerManager": {"launchConfigId": "first"}, "region": "us-east-1"},
        {"workerConfig": {"a": 2}, "region": "us-west-1"},
    ],
}
KEY = "primary.{}.prov.type.group.worker.first._"


class MachineTestCase(PoolTestCase):
    arguments: ClassVar[Mapping[str, Any]] = {"proof_keys": clouds.proof_keys()}
    provider = "aws"
    identity: ClassVar[Mapping[str, str]] = DOCUMENT

    def setUp(self) -> None:
        super().setUp()
        self.create_pool(providerId=self.provider, config=CONFIG)
        self.take_told()

    def ask_for(self, **more: Any) -> None:
        fields = {"worker_group": "group", "worker_id": "worker", "launch_config_id": "first", **more}
        machine = Machine(**{"pool_id": POOL, "identity": self.identity, **fields})
        self.successResultOf(Deferred.fromCoroutine(self.taskcluster.worker_manager.request_worker(machine)))

    def register(self, proof: Any = None, **more: Any) -> Any:
        return super().register(proof, providerId=self.provider, **more)

    def not_admitted(self, message: str, proof: Any, **more: Any) -> None:
        body = self.application(proof, providerId=self.provider, **more)
        message = self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", body)
        self.assertIn(message, message)
        self.assertEqual(self.ask("worker-manager", "GET", WORKER)["state"], "requested")


class Life(MachineTestCase):
    def proof(self) -> dict[str, str]:
        return aws({**DOCUMENT, "instanceId": "worker"})

    def test_from_request_to_removal(self) -> None:
        self.ask_for(capacity=2)
        asked = self.ask("worker-manager", "GET", WORKER)
        self.assertEqual((asked["state"], asked["capacity"], asked["launchConfigId"]), ("requested", 2, "first"))
        self.register(self.proof())
        self.assertEqual(self.ask("worker-manager", "GET", WORKER)["state"], "running")
        self.ask("worker-manager", "DELETE", WORKER)
        self.assertEqual(self.ask("worker-manager", "GET", WORKER)["state"], "stopped")
        told = self.take_told()
        names = ["worker-requested", "worker-running", "worker-removed", "worker-stopped"]
        self.assertEqual([exchange for exchange, _, _ in told], names)
        common = {
            **{"workerPoolId": POOL, "providerId": "aws", "workerGroup": "group", "workerId": "worker"},
            **{"capacity": 2, "timestamp": "2027-01-15T08:00:00.000Z", "launchConfigId": "first"},
        }
        removed = {**common, "reason": "workerManager.removeWorker API call"}
        self.assertEqual([payload for _, _, payload in told], [common, common, removed, common])
        self.assertEqual({key for _, key, _ in told}, {KEY.format("aws")})

    def test_it_is_given_the_config_of_its_launch_and_credentials_as_long_as_the_pool_says(self) -> None:
        self.ask_for()
        registered = self.register(self.proof())
        self.assertEqual(registered["workerConfig"], {"a": 1})
        self.assertEqual(registered["expires"], "2027-01-15T10:00:00.000Z")
        self.assertEqual(registered["credentials"]["clientId"], f"worker/aws/{POOL}/group/worker")
        renewal = {"workerPoolId": POOL, "workerGroup": "group", "workerId": "worker", "secret": registered["secret"]}
        self.reactor.advance(1)
        self.assertEqual(
            self.ask("worker-manager", "POST", "/worker/reregister", renewal)["expires"], "2027-01-15T10:00:01.000Z"
        )

    def test_it_registers_once(self) -> None:
        self.ask_for()
        self.register(self.proof())
        body = self.application(self.proof(), providerId="aws")
        message = self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", body)
        self.assertIn("either stopped or running", message)

    def test_it_is_asked_for_once(self) -> None:
        self.ask_for()
        asking = self.taskcluster.worker_manager.request_worker(Machine(POOL, "group", "worker"))
        self.failureResultOf(Deferred.fromCoroutine(asking), ApiError)

    def test_its_runs_are_taken_back_when_it_is_removed(self) -> None:
        self.ask_for()
        own = Credentials.from_json(self.register(self.proof())["credentials"])
        task_id = self.create()
        self.ask("queue", "POST", "/claim-work/prov%2Ftype", CLAIM, own)
        self.ask("worker-manager", "DELETE", WORKER, None, own)
        self.assertEqual(self.ends(task_id), [("exception", "worker-shutdown"), ("pending", None)])

    def test_nobody_makes_one_by_hand(self) -> None:
        self.refused("worker-manager", 400, "InputError", "PUT", WORKER, self.worker())

    def test_its_removal_is_told_once(self) -> None:
        self.ask_for()
        self.ask("worker-manager", "DELETE", WORKER), self.take_told()
        self.ask("worker-manager", "DELETE", WORKER)
        self.assertEqual(self.take_told(), [])

    def test_an_error_that_it_reports_names_its_launch(self) -> None:
        self.ask_for()
        texts = {"kind": "k", "title": "t", "description": "d", "extra": {}}
        body = {"workerGroup": "group", "workerId": "worker", **texts}
        self.assertEqual(
            self.ask("worker-manager", "POST", f"/worker-pool-errors/{POOL}", body)["launchConfigId"], "first"
        )
        totals = self.ask("worker-manager", "GET", f"/worker-pool-errors/stats?workerPoolId={POOL}")["totals"]
        self.assertEqual(totals["launchConfig"], {"first": 1})


class LaunchConfigs(MachineTestCase):
    def configs(self, query: str = "") -> list[tuple[str, bool]]:
        listed = self.ask("worker-manager", "GET", f"/worker-pool/prov%2Ftype/launch-configs{query}")[
            "workerPoolLaunchConfigs"
        ]
        return [(one["launchConfigId"], one["isArchived"]) for one in listed]

    def test_one_without_an_id_gets_one_that_stays(self) -> None:
        pool = self.ask("worker-manager", "GET", f"/worker-pool/{POOL}")
        [first, second] = [one["workerManager"]["launchConfigId"] for one in pool["config"]["launchConfigs"]]
        self.assertEqual(first, "first")
        self.assertRegex(second, "^lc-[0-9a-f]{20}$")
        self.assertEqual(self.configs(), [("first", False), (second, False)])
        self.assertEqual(self.create_pool(providerId="aws", config=CONFIG), pool)

    def test_changes_are_told_and_those_gone_are_archived(self) -> None:
        [second] = [name for name, _ in self.configs() if name != "first"]
        changed = [{"workerConfig": {"a": 3}, "workerManager": {"launchConfigId": name}} for name in ("first", "new")]
        config = {**CONFIG, "launchConfigs": changed}
        self.ask("worker-manager", "POST", f"/worker-pool/{POOL}", self.pool(providerId="aws", config=config))
        told = [(exchange, key) for exchange, key, _ in self.take_told() if exchange.startswith("launch")]
        routing = "primary.aws.prov.type._._.{}._"
        self.assertEqual(
            told,
            [
                ("launch-config-updated", routing.format("first")),
                ("launch-config-created", routing.format("new")),
                ("launch-config-archived", routing.format(second)),
            ],
        )
        self.assertEqual(self.configs(), [("first", False), ("new", False)])
        self.assertIn((second, True), self.configs("?includeArchived=true"))

    def test_workers_are_counted_by_them(self) -> None:
        self.ask_for(capacity=3)
        self.ask_for(worker_id="other", launch_config_id=None)
        counted = self.ask("worker-manager", "GET", "/worker-pool/prov%2Ftype/stats")["launchConfigStats"]
        self.assertEqual(
            {one["launchConfigId"]: (one["requestedCapacity"], one["currentCapacity"]) for one in counted},
            {"first": (3, 3), "": (1, 1)},
        )


class Aws(MachineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ask_for()

    def test_a_document_of_another_machine(self) -> None:
        for name in (*DOCUMENT, "instanceId"):
            document = {**DOCUMENT, "instanceId": "worker", name: "other"}
            # Of another region there is no key that could have signed it.
            message = "Instance identity document" if name == "region" else "Instance validation error"
            self.not_admitted(message, aws(document))

    def test_a_signature_that_is_not_the_regions(self) -> None:
        message, document = "Instance identity document validation error", {**DOCUMENT, "instanceId": "worker"}
        self.not_admitted(message, aws(document, "stranger"))
        good = aws(document)
        self.not_admitted(message, {**good, "document": good["document"] + " "})
        for nonsense in ("x", "", "A" * 300, "ä"):
            self.not_admitted("", {**good, "signature": nonsense})
        for text in ("[]", "{", "null", '{"region": []}', "[" * 100_000):
            self.not_admitted(message, {**good, "document": text})

    def test_a_proof_of_another_kind(self) -> None:
        self.not_admitted("both a document (string) and a signature", google("worker"))


class Google(MachineTestCase):
    provider = "google"
    identity: ClassVar[Mapping[str, str]] = {}

    def setUp(self) -> None:
        super().setUp()
        self.ask_for()

    def test_a_good_token_is_good_once(self) -> None:
        self.assertEqual(self.register(google("worker"))["workerConfig"], {"a": 1})
        body = self.application(google("worker"), providerId="google")
        self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", body)

    def test_tokens_that_prove_nothing(self) -> None:
        tokens = {
            "another instance": google("other"),
            "another project": google("worker", project="other"),
            "another account": google("worker", sub="other"),
            "for somebody else": google("worker", aud="https://other.example.com"),
            "signed by a stranger": google("worker", "stranger"),
            "of a stranger": google("worker", iss="https://example.com"),
            "expired": google("worker", exp=START - 301),
            "not yet good": google("worker", iat=START + 301),
            "without a machine": google("worker", google={}),
            "with nonsense for one": google("worker", google=[]),
            "no token": {"token": "a.b.c"},
            "nothing": {"token": ""},
            "another kind": aws(DOCUMENT),
        }
        for what, proof in tokens.items():
            with self.subTest(what):
                self.not_admitted("Token validation error", proof)

    def test_a_token_that_is_not_signed(self) -> None:
        said = jwt.decode(google("worker")["token"], options={"verify_signature": False})
        self.not_admitted("Token validation error", {"token": jwt.encode(said, "", "none")})


class Azure(MachineTestCase):
    provider = "azure"
    identity: ClassVar[Mapping[str, str]] = {"vmId": "vm"}

    def setUp(self) -> None:
        super().setUp()
        self.ask_for()

    def test_a_good_document_is_good_once(self) -> None:
        self.assertEqual(self.register(azure({"vmId": "vm"}))["workerConfig"], {"a": 1})
        body = self.application(azure({"vmId": "vm"}), providerId="azure")
        self.refused("worker-manager", 400, "InputError", "POST", "/worker/register", body)

    def test_documents_that_prove_nothing(self) -> None:
        own = "metadata.azure.com"
        documents = {
            "of another machine": azure({"vmId": "other"}),
            "of none": azure({}),
            "issued by a stranger": azure({"vmId": "vm"}, certificate(own, "stranger")),
            "issued by one of the same name": azure({"vmId": "vm"}, certificate(own, own)),
            "of another subject": azure({"vmId": "vm"}, certificate(f"evil{own}", "authority")),
            "of yesterday's certificate": azure({"vmId": "vm"}, certificate(own, "authority", ends=-1)),
            "expired": azure({"vmId": "vm", "timeStamp": {"expiresOn": "01/15/27 07:59:59 -0000"}}),
            "without a date": azure({"vmId": "vm", "timeStamp": {}}),
            "of another kind": aws(DOCUMENT),
            "signed in another way": azure({"vmId": "vm"}, attributes=True),
        }
        for what, proof in documents.items():
            with self.subTest(what):
                self.not_admitted("Signature validation error", proof)

    def test_a_document_that_was_changed_on_the_way(self) -> None:
        good = b64decode(azure({"vmId": "wm"})["document"])
        forged = good.replace(b'"vmId": "wm"', b'"vmId": "vm"')
        self.assertNotEqual(forged, good)
        self.not_admitted("Signature validation error", {"document": b64encode(forged).decode()})

    def test_nonsense(self) -> None:
        good = b64decode(azure({"vmId": "vm"})["document"])
        for nonsense in (b"", b"x", good[:-1], good + b"x", json.dumps(DOCUMENT).encode()):
            self.not_admitted("Signature validation error", {"document": b64encode(nonsense).decode()})
        self.not_admitted("Signature validation error", {"document": "ä"})
