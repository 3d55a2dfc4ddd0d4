"""Secrets (contracts of the queue, 5b)."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import ConformanceTestCase, date, random_name, when


class Secrets(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.secrets = self.root.secrets
        self.name = f"conformance/{random_name()}"

    def set(self, secret: Any, name: str | None = None, **more: Any) -> Any:
        name = name or self.name
        self.addCleanup(self.secrets.remove, name)
        return self.secrets.set(name, {"secret": secret, "expires": date(hours=1), **more})

    def test_kept_and_replaced(self) -> None:
        for secret in ({"a": [1, None, "x"]}, {"b": {}}):
            self.assertEqual(self.set(secret), {})
            told = self.secrets.get(self.name)
            self.assertEqual((set(told), told["secret"]), ({"secret", "expires"}, secret))
            self.assertLess(abs(when(told["expires"]) - when(date(hours=1))), 60)

    def test_removed(self) -> None:
        self.set({})
        for _ in range(2):
            self.assertEqual(self.secrets.remove(self.name), {})
        with self.refused("ResourceNotFound"):
            self.secrets.get(self.name)

    def test_what_is_not_there(self) -> None:
        with self.refused("ResourceNotFound"):
            self.secrets.get(self.name)
        self.set({}, expires=date(minutes=-1))
        with self.refused("ResourceNotFound"):
            self.secrets.get(self.name)

    def test_slashes_of_both_kinds(self) -> None:
        self.set({"a": 1})
        for name in (self.name, self.name.replace("/", "%2F")):
            self.assertEqual(self.call("GET", f"/api/secrets/v1/secret/{name}").json["secret"], {"a": 1})

    def test_listed(self) -> None:
        made = {f"{self.name}/{letter}" for letter in "cab"}
        for name in made:
            self.set({}, name)
        seen: list[str] = []
        self.secrets.list(paginationLimit=2, paginationHandler=lambda page: seen.extend(page["secrets"]))
        self.assertLessEqual(made, set(seen))
        self.assertEqual(len(seen), len(set(seen)))

    def test_what_must_be_said(self) -> None:
        for body in ({}, {"secret": {}}, {"expires": date(hours=1)}, {"secret": [], "expires": date(hours=1)}):
            with self.refused("InputValidationError"):
                self.secrets.set(self.name, body)

    def test_who_may(self) -> None:
        body = {"secret": {}, "expires": date(hours=1)}
        setter, getter = self.limited(f"secrets:set:{self.name}"), self.limited(f"secrets:get:{self.name}")
        with self.refused("InsufficientScopes"):
            getter.secrets.set(self.name, body)
        setter.secrets.set(self.name, body)
        with self.refused("InsufficientScopes"):
            setter.secrets.get(self.name)
        getter.secrets.get(self.name)
        with self.refused("InsufficientScopes"):
            getter.secrets.remove(self.name)
        setter.secrets.remove(self.name)
        # Whether there is one is a secret too.
        with self.refused("InsufficientScopes"):
            setter.secrets.get(f"{self.name}/none")
