"""Addresses that are signed, and what authenticate-hawk says of them (contracts of the queue, 3.5 and 3.6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.conformance.callers import Credentials
from tests.conformance.signing_case import TESTER, SigningTestCase


class Bewits(SigningTestCase):
    def signed(self, credentials: Credentials = TESTER, **how: Any) -> str:
        auth = self.deployment.services(credentials).auth
        url = auth.buildSignedUrl("testAuthenticateGet", **how)
        return url[len(self.deployment.root_url) :]

    def test_an_address_that_is_signed(self) -> None:
        answer = self.deployment.send("GET", self.signed())
        self.assertEqual((answer.status, answer.json["clientId"]), (200, "tester"))

    def test_by_temporary_credentials(self) -> None:
        made = self.temporary("test:authenticate-get", name="test:conformance")
        answer = self.deployment.send("GET", self.signed(made))
        self.assertEqual((answer.status, answer.json["clientId"]), (200, "test:conformance"))

    def test_its_time(self) -> None:
        self.assertFailed(self.deployment.send("GET", self.signed(expiration=-5)))

    def test_it_is_for_reading(self) -> None:
        self.assertEqual(self.deployment.send("HEAD", self.signed()).status, 200)
        task_id = self.create()
        url = self.queue.buildSignedUrl("cancelTask", task_id)
        answer = self.deployment.send("POST", url[len(self.deployment.root_url) :])
        self.assertFailed(answer)
        self.assertEqual(self.status(task_id)["state"], "pending")

    def test_a_changed_one(self) -> None:
        target = self.signed()
        for other in (target[:-8] + "x" * 8, target + "x", target.replace("bewit=", "bewit=!")):
            self.assertFailed(self.deployment.send("GET", other))

    def test_together_with_a_header(self) -> None:
        target = self.signed()
        signature = self.deployment.sign("GET", target, None, TESTER)
        self.assertFailed(self.send(signature, target))

    def test_a_query_key_that_every_call_knows(self) -> None:
        held = self.running()
        url = held.services.queue.buildSignedUrl("task", held.task_id)
        self.assertEqual(self.deployment.send("GET", url[len(self.deployment.root_url) :]).status, 200)

    def test_artifacts_that_are_not_public(self) -> None:
        held = self.running()
        reference = {"storageType": "reference", "url": "https://example.com/", "contentType": "text/plain"}
        self.queue.createArtifact(
            *held.run, "private/a", {**reference, "expires": self.queue.task(held.task_id)["expires"]}
        )
        target = f"{held.path}/artifacts/private/a"
        self.assertRefused(self.deployment.send("GET", target), "InsufficientScopes")
        url = self.queue.buildSignedUrl("getArtifact", *held.run, "private/a")
        answer = self.deployment.send("GET", url[len(self.deployment.root_url) :])
        self.assertEqual((answer.status, answer.headers["location"]), (303, "https://example.com/"))


class AuthenticateHawk(SigningTestCase):
    def ask(self, target: str, authorization: str | None = None, method: str = "get") -> Any:
        address = urlsplit(self.deployment.root_url)
        port = address.port or (443 if address.scheme == "https" else 80)
        asked = {"method": method, "resource": target, "host": address.hostname, "port": port}
        if authorization is not None:
            asked["authorization"] = authorization
        return self.deployment.services(None).auth.authenticateHawk(asked)

    def test_a_good_signature(self) -> None:
        for credentials in (self.deployment.root, self.deployment.issue("conformance:a")):
            told = self.ask("/whatever?a=b", self.deployment.sign("GET", "/whatever?a=b", b"", credentials))
            self.assertEqual(set(told), {"status", "scheme", "scopes", "clientId", "expires", "hash"})
            self.assertEqual(
                (told["status"], told["scheme"], told["clientId"]), ("auth-success", "hawk", credentials.client_id)
            )
        self.assertIn("conformance:a", told["scopes"])
        told = self.ask("/whatever", self.deployment.sign("GET", "/whatever"))
        self.assertNotIn("hash", told)

    def test_a_bad_one_is_an_answer_too(self) -> None:
        told = self.ask("/other", self.deployment.sign("GET", "/whatever"))
        self.assertEqual((told["status"], set(told)), ("auth-failed", {"status", "message"}))

    def test_none(self) -> None:
        told = self.ask("/whatever")
        self.assertEqual((told["status"], told["scheme"]), ("no-auth", "none"))
        self.assertIn("assume:anonymous", told["scopes"])

    def test_a_bewit(self) -> None:
        target = Bewits.signed(self, self.deployment.root)  # type: ignore[arg-type]  # it needs only the deployment
        self.assertEqual(self.ask(target)["status"], "auth-success")
