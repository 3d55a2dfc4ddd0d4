"""Clients: made, changed, listed and taken away, and what becomes of those who sign with their tokens."""

from __future__ import annotations

import json
from typing import Any

from tcworker.embedded.auth.certificates import sign
from tcworker.interfaces import Credentials
from tests.embedded.auth.case import MINUTE, NOW, AuthTestCase

TOKEN = "^[a-zA-Z0-9_-]{44}$"


class ClientsTestCase(AuthTestCase):
    def body(self, **more: Any) -> dict[str, Any]:
        return {"expires": self.date(hours=10), "description": "d", **more}


class Creating(ClientsTestCase):
    def test_a_client_is_answered_with_all_there_is_to_know(self) -> None:
        self.role("r", "b")
        made = self.ask("auth", "PUT", "/clients/a%2Fb", self.body(scopes=["assume:r"], deleteOnExpiration=True))
        self.assertRegex(made.pop("accessToken"), TOKEN)
        now = "2027-01-15T08:00:00.000Z"
        self.assertEqual(
            made,
            {
                "clientId": "a/b",
                "description": "d",
                "expires": "2027-01-15T18:00:00.000Z",
                "created": now,
                "lastModified": now,
                "lastDateUsed": now,
                "lastRotated": now,
                "deleteOnExpiration": True,
                "scopes": ["assume:r"],
                "expandedScopes": ["assume:r", "b"],
                "disabled": False,
            },
        )
        self.assertEqual(self.ask("auth", "GET", "/clients/a%2Fb"), made)

    def test_scopes_may_be_left_out(self) -> None:
        made = self.ask("auth", "PUT", "/clients/me", self.body())
        self.assertEqual((made["scopes"], made["deleteOnExpiration"]), ([], False))

    def test_the_token_is_good_at_once(self) -> None:
        self.assertIn("mine", self.accepted(self.client("mine")))

    def test_the_answer_is_not_to_be_kept(self) -> None:
        answer = self.call("PUT", "/api/auth/v1/clients/me", self.body())
        self.assertIn("no-store", answer.headers["cache-control"])

    def test_a_client_that_is_there(self) -> None:
        self.client()
        self.refused("auth", 409, "RequestConflict", "PUT", "/clients/me", self.body())

    def test_bodies_that_are_refused(self) -> None:
        for change in (
            {"expires": "tomorrow"},
            {"description": "d" * 10241},
            {"scopes": ["ü"]},
            {"scopes": ["a", "a"]},
            {"scopes": "a"},
            {"deleteOnExpiration": 1},
            {"accessToken": "x"},
        ):
            self.refused("auth", 400, "InputValidationError", "PUT", "/clients/me", self.body(**change))
        self.refused("auth", 400, "InputValidationError", "PUT", "/clients/me", {"description": "d"})
        self.refused("auth", 400, "InputError", "PUT", "/clients/me", self.body(scopes=["a**"]))

    def test_many_scopes_are_checked_as_few_are(self) -> None:
        many = [f"queue:route:{number}" for number in range(5000)]
        self.assertEqual(len(self.ask("auth", "PUT", "/clients/me", self.body(scopes=many))["scopes"]), 5000)
        for more, path in (("ü", "data.scopes[5000]"), (3, "data.scopes[5000]"), (many[0], "data.scopes")):
            wrong = self.body(scopes=[*many, more])
            self.assertIn(path, self.refused("auth", 400, "InputValidationError", "PUT", "/clients/more", wrong))
        self.refused("auth", 400, "InputValidationError", "PUT", "/clients/more", self.body(clientScopes=["a"]))

    def test_names_that_are_refused(self) -> None:
        self.refused("auth", 400, "InvalidRequestArguments", "PUT", "/clients/a%20b", self.body())
        self.refused("auth", 400, "InputError", "PUT", "/clients/static%2Fme", self.body())

    def test_nobody_gives_away_what_they_have_not(self) -> None:
        may = self.client("auth:create-client:mine/*", "a:*", name="giver")
        self.ask("auth", "PUT", "/clients/mine%2F1", self.body(scopes=["a:b"]), may)
        message = self.refused(
            "auth", 403, "InsufficientScopes", "PUT", "/clients/mine%2F2", self.body(scopes=["a:c", "b"]), may
        )
        self.assertIn("lacks these scopes:\n\n  b\n", message)
        self.refused("auth", 403, "InsufficientScopes", "PUT", "/clients/other", self.body(), may)

    def test_what_everybody_has_may_be_given_away(self) -> None:
        may = self.client("auth:create-client:*", name="giver")
        self.ask("auth", "PUT", "/clients/mine", self.body(scopes=["queue:status:*"]), may)

    def test_the_order_of_the_checks(self) -> None:
        wrong = Credentials("nobody", "x")
        self.refused("auth", 400, "InputValidationError", "PUT", "/clients/me", {}, wrong)
        self.refused("auth", 400, "InputError", "PUT", "/clients/static%2Fme", self.body(), wrong)
        self.refused("auth", 401, "AuthenticationFailed", "PUT", "/clients/me", self.body(), wrong)
        self.client(name="giver")
        self.refused("auth", 401, "AuthenticationFailed", "PUT", "/clients/giver", self.body(), wrong)


class Changing(ClientsTestCase):
    def test_an_update_leaves_the_token_and_what_is_not_named(self) -> None:
        me = self.client("mine")
        self.reactor.advance(60)
        changed = self.ask("auth", "POST", "/clients/me", self.body(description="new", deleteOnExpiration=True))
        self.assertEqual(
            (changed["scopes"], changed["description"], changed["deleteOnExpiration"]), (["mine"], "new", True)
        )
        self.assertEqual(changed["lastModified"], "2027-01-15T08:01:00.000Z")
        self.assertEqual(changed["lastRotated"], "2027-01-15T08:00:00.000Z")
        self.assertNotIn("accessToken", changed)
        self.assertIn("mine", self.accepted(me))

    def test_new_scopes_hold_at_once(self) -> None:
        me = self.client("mine", "old")
        self.assertIn("old", self.accepted(me))
        self.ask("auth", "POST", "/clients/me", self.body(scopes=["mine", "new"]))
        scopes = self.accepted(me)
        self.assertIn("new", scopes)
        self.assertNotIn("old", scopes)

    def test_only_scopes_that_are_added_are_needed(self) -> None:
        self.client("a", "b")
        may = self.client("auth:update-client:me", "c", name="giver")
        self.ask("auth", "POST", "/clients/me", self.body(scopes=["a", "c"]), may)
        self.refused("auth", 403, "InsufficientScopes", "POST", "/clients/me", self.body(scopes=["a", "d"]), may)

    def test_no_scopes_at_all(self) -> None:
        self.client("a")
        self.assertEqual(self.ask("auth", "POST", "/clients/me", self.body(scopes=[]))["scopes"], [])

    def test_a_new_token_ends_the_old_one_and_what_was_issued_with_it(self) -> None:
        old = self.client("mine", "auth:create-client:t")
        issued = self.temporary("mine", name="t", issuer=old)
        self.accepted(issued)
        self.reactor.advance(1)
        answer = self.ask("auth", "POST", "/clients/me/reset")
        self.assertRegex(answer["accessToken"], TOKEN)
        self.assertEqual(answer["lastRotated"], "2027-01-15T08:00:01.000Z")
        self.refused_with(old, "MAC")
        self.refused_with(issued, "signature")
        self.accepted(Credentials("me", answer["accessToken"]))

    def test_who_is_disabled_is_refused_and_what_they_issued(self) -> None:
        me = self.client("mine", "auth:create-client:t")
        issued, unnamed = self.temporary("mine", name="t", issuer=me), self.unnamed(me)
        for credentials in (issued, unnamed):
            self.accepted(credentials)
        self.assertTrue(self.ask("auth", "POST", "/clients/me/disable")["disabled"])
        for credentials in (me, issued, unnamed):
            self.refused_with(credentials, "me is disabled")
        self.assertFalse(self.ask("auth", "POST", "/clients/me/enable")["disabled"])
        for credentials in (me, issued, unnamed):
            self.accepted(credentials)

    def unnamed(self, issuer: Credentials) -> Credentials:
        named = self.temporary("mine", name="t", issuer=issuer)
        certificate = json.loads(named.certificate or "")
        del certificate["issuer"]
        text = ["version:1", f"seed:{certificate['seed']}", f"start:{NOW}", f"expiry:{NOW + MINUTE}", "scopes:", "mine"]
        certificate["signature"] = sign(issuer.access_token, "\n".join(text)).decode()
        return Credentials(issuer.client_id, named.access_token, json.dumps(certificate))

    def test_who_is_deleted_is_refused_and_what_they_issued(self) -> None:
        me = self.client("mine", "auth:create-client:t")
        issued = self.temporary("mine", name="t", issuer=me)
        answer = self.call("DELETE", "/api/auth/v1/clients/me")
        self.assertEqual((answer.status, answer.content), (204, b""))
        for credentials in (me, issued):
            self.refused_with(credentials, "no client me")
        self.refused("auth", 404, "ResourceNotFound", "GET", "/clients/me")
        self.ask("auth", "DELETE", "/clients/me")

    def test_who_lost_scopes_cannot_have_issued_them(self) -> None:
        me = self.client("mine", "auth:create-client:t")
        issued = self.temporary("mine", name="t", issuer=me)
        self.accepted(issued)
        self.ask("auth", "POST", "/clients/me", self.body(scopes=["auth:create-client:t"]))
        self.refused_with(issued, "more than its issuer has")
        self.ask("auth", "POST", "/clients/me", self.body(scopes=["mine"]))
        self.refused_with(issued, "may not name")

    def test_who_has_expired_is_refused_and_what_they_issued(self) -> None:
        me = self.client("mine", "auth:create-client:t", expires=self.date(minutes=1))
        issued = self.temporary("mine", name="t", issuer=me, expiry=NOW + 60 * MINUTE)
        self.reactor.advance(60)
        self.accepted(me)
        self.reactor.advance(1)
        for credentials in (me, issued):
            self.refused_with(credentials, "me has expired")
        self.assertEqual(self.ask("auth", "GET", "/clients/me")["clientId"], "me")

    def test_who_has_expired_goes_away_if_that_was_wanted(self) -> None:
        self.client(name="goes", expires=self.date(minutes=1), deleteOnExpiration=True)
        self.client(name="stays", expires=self.date(minutes=1))
        self.client(name="lives", deleteOnExpiration=True)
        self.reactor.advance(self.times.expiry + 60)
        self.refused("auth", 404, "ResourceNotFound", "GET", "/clients/goes")
        for name in ("stays", "lives"):
            self.ask("auth", "GET", f"/clients/{name}")

    def test_what_does_not_exist(self) -> None:
        self.refused("auth", 404, "ResourceNotFound", "GET", "/clients/me")
        self.refused("auth", 404, "ResourceNotFound", "POST", "/clients/me", self.body())
        for verb in ("reset", "enable", "disable"):
            self.refused("auth", 404, "ResourceNotFound", "POST", f"/clients/me/{verb}")

    def test_static_clients_are_not_changed(self) -> None:
        path = "/clients/static%2Ftaskcluster%2Froot"
        self.assertIn("static client", self.ask("auth", "GET", path)["description"])
        self.refused("auth", 400, "InputError", "POST", path, self.body())
        self.refused("auth", 400, "InputError", "DELETE", path)
        for verb in ("reset", "enable", "disable"):
            self.refused("auth", 400, "InputError", "POST", f"{path}/{verb}")

    def test_each_call_needs_its_scope(self) -> None:
        self.client("x")
        for method, path, scope in (
            ("POST", "/clients/me/reset", "auth:reset-access-token:me"),
            ("POST", "/clients/me/enable", "auth:enable-client:me"),
            ("POST", "/clients/me/disable", "auth:disable-client:me"),
            ("DELETE", "/clients/me", "auth:delete-client:me"),
        ):
            self.refused("auth", 403, "InsufficientScopes", method, path, None, self.temporary("auth:other", name="t"))
            self.ask("auth", method, path, None, self.temporary(scope, name="t"))

    def test_that_a_client_is_used_is_put_down_now_and_then(self) -> None:
        me = self.client("mine", expires=self.date(days=2))
        for hours, seen in ((5, "08:00"), (2, "15:00"), (1, "15:00")):
            self.reactor.advance(3600 * hours)
            self.accepted(me)
            self.assertIn(f"T{seen}", self.ask("auth", "GET", "/clients/me")["lastDateUsed"])


class Listing(ClientsTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("c", "a%2F1", "a%2F2", "b"):
            self.client(name=name)

    def ids(self, query: str = "") -> list[str]:
        return [client["clientId"] for client in self.ask("auth", "GET", f"/clients{query}")["clients"]]

    def test_all_are_there_and_no_tokens(self) -> None:
        self.assertEqual(self.ids(), ["a/1", "a/2", "b", "c", "static/taskcluster/root", "static/taskcluster/server"])
        answer = self.call("GET", "/api/auth/v1/clients/")
        self.assertNotIn(b"accessToken", answer.content)
        self.assertNotIn(self.root.access_token.encode(), answer.content)

    def test_those_whose_names_begin_alike(self) -> None:
        self.assertEqual(self.ids("?prefix=a%2F"), ["a/1", "a/2"])
        self.assertEqual(self.ids("?prefix=nobody"), [])

    def test_page_by_page(self) -> None:
        found, query = [], "?limit=4"
        for _ in range(2):
            page = self.ask("auth", "GET", f"/clients/{query}")
            found.append(len(page["clients"]))
            query = f"?limit=4&continuationToken={page.get('continuationToken')}"
        self.assertEqual(found, [4, 2])
        self.assertNotIn("continuationToken", page)

    def test_queries_that_are_refused(self) -> None:
        for query in ("?prefix=%20", "?limit=x", "?x=1", "?prefix=", "?continuationToken=abc"):
            self.refused("auth", 400, "InvalidRequestArguments", "GET", f"/clients{query}")
