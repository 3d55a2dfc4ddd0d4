"""auth: clients, their tokens, scopes and ends (contracts of the queue, 3.6)."""

from __future__ import annotations

from typing import Any

from tests.conformance.callers import Credentials, Services
from tests.conformance.case import ConformanceTestCase, date, names, random_name, when


class ClientTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.auth = self.root.auth
        self.client_id = f"conformance/{random_name()}"

    def make(self, *scopes: str, client_id: str | None = None, **more: Any) -> Any:
        client_id = client_id or self.client_id
        asked = {"expires": date(hours=1), "description": "Of a conformance suite.", "scopes": list(scopes), **more}
        made = self.auth.createClient(client_id, asked)
        self.addCleanup(self.auth.deleteClient, client_id)
        return made

    def by(self, made: Any) -> Services:
        return self.deployment.services(Credentials.from_json(made))

    def scopes_of(self, made: Any) -> set[str]:
        return set(self.by(made).auth.currentScopes()["scopes"])


class Clients(ClientTestCase):
    def test_what_is_known_of_one(self) -> None:
        made = self.make("conformance:b", "conformance:a")
        known = self.auth.client(self.client_id)
        self.assertEqual(known, {name: made[name] for name in made if name != "accessToken"})
        fields = {"clientId", "description", "expires", "created", "lastModified", "lastDateUsed", "lastRotated"}
        self.assertLessEqual(fields | {"deleteOnExpiration", "scopes", "expandedScopes", "disabled"}, set(known))
        self.assertEqual((known["clientId"], known["disabled"]), (self.client_id, False))
        self.assertEqual(set(known["scopes"]), {"conformance:a", "conformance:b"})

    def test_it_can_call(self) -> None:
        made = self.make("conformance:a", "auth:current-scopes")
        self.assertIn("conformance:a", self.scopes_of(made))

    def test_its_token_cannot_be_read_again_but_replaced(self) -> None:
        made = self.make("auth:current-scopes")
        again = self.auth.resetAccessToken(self.client_id)
        self.assertNotEqual(again["accessToken"], made["accessToken"])
        with self.refused("AuthenticationFailed"):
            self.scopes_of(made)
        self.scopes_of(again)

    def test_a_change(self) -> None:
        made = self.make("conformance:a", "auth:current-scopes")
        asked = {"expires": date(hours=2), "description": "Changed.", "scopes": ["auth:current-scopes"]}
        changed = self.auth.updateClient(self.client_id, asked)
        self.assertEqual((changed["description"], changed["scopes"]), ("Changed.", ["auth:current-scopes"]))
        self.assertNotIn("accessToken", changed)
        self.assertAlmostEqual(when(changed["expires"]), when(asked["expires"]), 2)
        self.assertNotIn("conformance:a", self.scopes_of(made))
        del asked["scopes"]
        self.assertEqual(self.auth.updateClient(self.client_id, asked)["scopes"], ["auth:current-scopes"])

    def test_disabled_and_enabled(self) -> None:
        made = self.make("auth:current-scopes")
        self.assertTrue(self.auth.disableClient(self.client_id)["disabled"])
        with self.refused("AuthenticationFailed"):
            self.scopes_of(made)
        self.assertFalse(self.auth.enableClient(self.client_id)["disabled"])
        self.scopes_of(made)

    def test_deleted(self) -> None:
        made = self.make("auth:current-scopes")
        for _ in range(2):
            self.auth.deleteClient(self.client_id)
        with self.refused("ResourceNotFound"):
            self.auth.client(self.client_id)
        with self.refused("AuthenticationFailed"):
            self.scopes_of(made)

    def test_expired(self) -> None:
        made = self.make("auth:current-scopes", expires=date(hours=-1))
        with self.refused("AuthenticationFailed"):
            self.scopes_of(made)

    def test_what_its_temporary_credentials_lose_with_it(self) -> None:
        made = self.make("conformance:a", "auth:current-scopes")
        issued = self.deployment.issue("conformance:a", "auth:current-scopes", issuer=Credentials.from_json(made))
        services = self.deployment.services(issued)
        self.assertIn("conformance:a", services.auth.currentScopes()["scopes"])
        self.auth.disableClient(self.client_id)
        with self.refused("AuthenticationFailed"):
            services.auth.currentScopes()

    def test_listed(self) -> None:
        prefix = f"{self.client_id}/"
        made = [self.make(client_id=prefix + letter)["clientId"] for letter in "cab"]
        seen: list[str] = []
        for limit in (1000, 2):
            seen.clear()
            self.auth.listClients(
                query={"prefix": prefix},
                paginationLimit=limit,
                paginationHandler=lambda page: seen.extend(names(page["clients"], "clientId")),
            )
            self.assertEqual(sorted(seen), sorted(made))

    def test_a_slash_in_the_path(self) -> None:
        self.make()
        raw = self.call("GET", f"/api/auth/v1/clients/{self.client_id}")
        self.assertEqual((raw.status, raw.json), (404, {"error": "Not found"}))


class Refusals(ClientTestCase):
    def test_one_that_is_there(self) -> None:
        self.make()
        with self.refused("RequestConflict"):
            self.auth.createClient(self.client_id, {"expires": date(hours=1), "description": ""})

    def test_those_of_the_configuration(self) -> None:
        body = {"expires": date(hours=1), "description": ""}
        client_id = f"static/{random_name()}"
        with self.refused("InputError"):
            self.auth.createClient(client_id, body)
        with self.refused("InputError"):
            self.auth.updateClient(client_id, body)

    def test_one_that_is_not_there(self) -> None:
        with self.refused("ResourceNotFound"):
            self.auth.updateClient(self.client_id, {"expires": date(hours=1), "description": ""})
        for call in (self.auth.client, self.auth.resetAccessToken, self.auth.disableClient, self.auth.enableClient):
            with self.refused("ResourceNotFound"):
                call(self.client_id)

    def test_what_must_be_said(self) -> None:
        good = {"expires": date(hours=1), "description": ""}
        for change in ({"more": 1}, {"scopes": ["a", "a"]}, {"scopes": ["é"]}, {"description": 1}, {"expires": "soon"}):
            with self.refused("InputValidationError"):
                self.auth.createClient(self.client_id, {**good, **change})
        for name in good:
            with self.refused("InputValidationError"):
                self.auth.createClient(self.client_id, {key: good[key] for key in good if key != name})
        with self.refused("InputError"):
            self.auth.createClient(self.client_id, {**good, "scopes": ["conformance:**"]})
        for client_id in ("with space", "é", "a?b"):
            with self.refused("InvalidRequestArguments"):
                self.auth.createClient(client_id, good)

    def test_nobody_gives_what_they_do_not_have(self) -> None:
        body = {"expires": date(hours=1), "description": "", "scopes": ["conformance:a"]}
        create = f"auth:create-client:{self.client_id}"
        for scopes in ([create], ["conformance:a"], [create, "conformance:b"]):
            with self.refused("InsufficientScopes"):
                self.limited(*scopes).auth.createClient(self.client_id, body)
        self.limited(create, "conformance:*").auth.createClient(self.client_id, body)
        self.addCleanup(self.auth.deleteClient, self.client_id)
        update = f"auth:update-client:{self.client_id}"
        # What is there already may stay.
        self.limited(update).auth.updateClient(self.client_id, body)
        with self.refused("InsufficientScopes"):
            more = {**body, "scopes": ["conformance:a", "conformance:b"]}
            self.limited(update).auth.updateClient(self.client_id, more)


class Tunnels(ClientTestCase):
    def test_a_token_for_websocktunnel(self) -> None:
        told = self.auth.websocktunnelToken("conformance", "client")
        self.assertEqual(set(told), {"wstClient", "wstAudience", "token", "expires"})
        self.assertEqual((told["wstAudience"], told["wstClient"]), ("conformance", "client"))
        self.assertEqual(told["token"].count("."), 2)
        with self.refused("InsufficientScopes"):
            self.limited().auth.websocktunnelToken("conformance", "client")
