"""Secrets: kept, read, listed, and shown to nobody else."""

from __future__ import annotations

from typing import Any

from tests.embedded.wire import WireTestCase

PREFIX = "/api/secrets/v1"


class Secrets(WireTestCase):
    def put(self, name: str, secret: Any = None, **later: float) -> Any:
        body = {"secret": secret or {"a": "b"}, "expires": self.date(**(later or {"hours": 1}))}
        return self.ask("secrets", "PUT", f"/secret/{name}", body)

    def test_it_comes_back_as_it_was(self) -> None:
        secret = {"files": [{"path": "/etc/x", "content": "ä\n"}], "n": 1.5}
        self.assertEqual(self.put("worker-pool:prov/type", secret), {})
        expected = {"secret": secret, "expires": "2027-01-15T09:00:00.000Z"}
        for name in ("worker-pool:prov/type", "worker-pool%3Aprov%2Ftype"):
            self.assertEqual(self.ask("secrets", "GET", f"/secret/{name}"), expected)

    def test_a_new_one_replaces_it(self) -> None:
        self.put("x"), self.put("x", {"c": 1}, days=1)
        self.assertEqual(self.ask("secrets", "GET", "/secret/x")["secret"], {"c": 1})
        self.assertEqual(self.ask("secrets", "GET", "/secrets"), {"secrets": ["x"]})

    def test_one_that_expired_is_not_there(self) -> None:
        self.put("x")
        self.reactor.advance(3600)
        self.refused("secrets", 404, "ResourceNotFound", "GET", "/secret/x")
        self.assertEqual(self.ask("secrets", "GET", "/secrets"), {"secrets": []})

    def test_it_is_removed_whether_it_is_there_or_not(self) -> None:
        self.put("x")
        for _ in range(2):
            self.assertEqual(self.ask("secrets", "DELETE", "/secret/x"), {})
        self.refused("secrets", 404, "ResourceNotFound", "GET", "/secret/x")

    def test_names_are_listed_in_pages(self) -> None:
        for name in ("b/c", "a", "ü"):
            self.put(name.replace("ü", "%C3%BC"))
        page = self.ask("secrets", "GET", "/secrets?limit=2")
        self.assertEqual(page["secrets"], ["a", "b/c"])
        self.assertEqual(
            self.ask("secrets", "GET", f"/secrets?continuationToken={page['continuationToken']}")["secrets"], ["ü"]
        )

    def test_a_refusal_does_not_show_it(self) -> None:
        for secret in ({"token": "hush"}, "hush", ["hush"]):
            answer = self.call("PUT", f"{PREFIX}/secret/x", {"secret": secret, "more": "hush" * 2})
            self.assertRefused(answer, 400, "InputValidationError")
            self.assertEqual(answer.json["requestInfo"]["payload"]["secret"], "(OMITTED)")
            self.assertNotIn("'hush'", answer.json["message"])

    def test_each_needs_a_scope_of_its_own(self) -> None:
        self.put("x")
        own = self.with_scopes("secrets:get:x")
        self.assertEqual(self.call("GET", f"{PREFIX}/secret/x", None, own).status, 200)
        for method, name in (("GET", "y"), ("DELETE", "x")):
            answer = self.call(method, f"{PREFIX}/secret/{name}", None, own)
            self.assertRefused(answer, 403, "InsufficientScopes")
        self.assertEqual(self.begin("GET", f"{PREFIX}/secrets").answer().json, {"secrets": ["x"]})
