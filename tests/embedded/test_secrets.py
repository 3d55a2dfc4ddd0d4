"""Secrets: kept, read, listed, and shown to nobody else."""

from __future__ import annotations

from typing import Any

from tcworker.embedded.auth.certificates import issue
from tests.embedded.wire import START, WireTestCase

PREFIX = "/api/secrets/v1"


class Secrets(WireTestCase):
    def secrets(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, PREFIX + path, body)
        self.assertEqual(answer.status, 200, answer.content)
        return answer.json

    def put(self, name: str, secret: Any = None, **later: float) -> Any:
        body = {"secret": secret or {"a": "b"}, "expires": self.date(**(later or {"hours": 1}))}
        return self.secrets("PUT", f"/secret/{name}", body)

    def missing(self, name: str) -> None:
        answer = self.call("GET", f"{PREFIX}/secret/{name}")
        self.assertEqual((answer.status, answer.code), (404, "ResourceNotFound"))

    def test_it_comes_back_as_it_was(self) -> None:
        secret = {"files": [{"path": "/etc/x", "content": "ä\u0000"}], "n": 1.5}
        self.assertEqual(self.put("worker-pool:prov/type", secret), {})
        expected = {"secret": secret, "expires": "2027-01-15T09:00:00.000Z"}
        for name in ("worker-pool:prov/type", "worker-pool%3Aprov%2Ftype"):
            self.assertEqual(self.secrets("GET", f"/secret/{name}"), expected)

    def test_a_new_one_replaces_it(self) -> None:
        self.put("x"), self.put("x", {"c": 1}, days=1)
        self.assertEqual(self.secrets("GET", "/secret/x")["secret"], {"c": 1})
        self.assertEqual(self.secrets("GET", "/secrets"), {"secrets": ["x"]})

    def test_one_that_expired_is_not_there(self) -> None:
        self.put("x")
        self.reactor.advance(3600)
        self.missing("x")
        self.assertEqual(self.secrets("GET", "/secrets"), {"secrets": []})

    def test_it_is_removed_whether_it_is_there_or_not(self) -> None:
        self.put("x")
        for _ in range(2):
            self.assertEqual(self.secrets("DELETE", "/secret/x"), {})
        self.missing("x")

    def test_names_are_listed_in_pages(self) -> None:
        for name in ("b/c", "a", "ü"):
            self.put(name.replace("ü", "%C3%BC"))
        page = self.secrets("GET", "/secrets?limit=2")
        self.assertEqual(page["secrets"], ["a", "b/c"])
        self.assertEqual(
            self.secrets("GET", f"/secrets?continuationToken={page['continuationToken']}")["secrets"], ["ü"]
        )

    def test_a_refusal_does_not_show_it(self) -> None:
        for secret in ({"token": "hush"}, "hush", ["hush"]):
            answer = self.call("PUT", f"{PREFIX}/secret/x", {"secret": secret, "more": "hush" * 2})
            self.assertEqual((answer.status, answer.code), (400, "InputValidationError"))
            self.assertEqual(answer.json["requestInfo"]["payload"]["secret"], "(OMITTED)")
            self.assertNotIn("'hush'", answer.json["message"])

    def test_each_needs_a_scope_of_its_own(self) -> None:
        self.put("x")
        own = issue(self.root, "me", ["secrets:get:x"], START * 1000, START * 1000 + 60_000)
        self.assertEqual(self.call("GET", f"{PREFIX}/secret/x", None, own).status, 200)
        for method, name in (("GET", "y"), ("DELETE", "x")):
            answer = self.call(method, f"{PREFIX}/secret/{name}", None, own)
            self.assertEqual((answer.status, answer.code), (403, "InsufficientScopes"))
        self.assertEqual(self.begin("GET", f"{PREFIX}/secrets").answer().json, {"secrets": ["x"]})
