"""Who somebody is and what they may do, as services and libraries ask for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import jwt
from mohawk.util import calculate_payload_hash

from tcworker.embedded.auth import roles
from tcworker.interfaces import Credentials
from tests.embedded.auth.case import AUTH, START, AuthTestCase, encode

TESTER = Credentials("tester", "no-secret")


class Expanding(AuthTestCase):
    def test_scopes_are_expanded(self) -> None:
        scopes = self.ask("auth", "POST", "/scopes/expand", {"scopes": ["mine", "assume:anonymous"]})["scopes"]
        self.assertIn("mine", scopes)
        self.assertIn("queue:status:*", scopes)

    def test_what_another_includes_is_left_out(self) -> None:
        given = {"scopes": ["x:b", "x:*", "x*", "b", "b:c"]}
        self.assertEqual(self.ask("auth", "POST", "/scopes/expand", given), {"scopes": ["b", "b:c", "x*"]})

    def test_what_is_no_scope(self) -> None:
        for wrong in (["ü"], ["a", "a"], "a", [3]):
            self.refused("auth", 400, "InputValidationError", "POST", "/scopes/expand", {"scopes": wrong})

    def test_too_many_are_refused_wherever_they_would_be_needed(self) -> None:
        self.patch(roles, "MOST", 100)
        # The nearest one brings 62.
        for number in range(5, 0, -1):
            self.role(f"r{number}:*", f"assume:r{number + 1}:<..>0", f"assume:r{number + 1}:<..>1")
        many = {"scopes": ["assume:r1:a", "assume:r1:b"], "description": ""}
        for method, name in (("PUT", "new"), ("POST", "anonymous")):
            self.assertIn("too many scopes", self.refused("auth", 400, "InputError", method, f"/roles/{name}", many))
        self.refused("auth", 400, "InputError", "POST", "/scopes/expand", {"scopes": many["scopes"]})
        client = {**many, "expires": self.date(hours=1)}
        self.refused("auth", 400, "InputError", "PUT", "/clients/new", client)
        self.refused("auth", 404, "ResourceNotFound", "GET", "/clients/new")
        rich = self.client("assume:late", name="rich")
        self.role("late", "assume:r1:a")
        self.assertEqual(self.current(rich).status, 200)
        ext = encode({"authorizedScopes": many["scopes"]})
        self.assertEqual(self.current(self.root, ext).status, 400)
        self.assertEqual(self.current(self.root).status, 200)


class AuthenticateHawk(AuthTestCase):
    """The call by which a service elsewhere has a signature checked."""

    def authenticate(self, **request: Any) -> Any:
        asked = {"method": "get", "resource": "/x?y=1", "host": "taskcluster.test", "port": 80, **request}
        answer = self.send(
            "POST", f"{AUTH}/authenticate-hawk", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        ).answer()
        self.assertEqual(answer.status, 200, answer.content)
        return answer.json

    def test_somebody_who_signed(self) -> None:
        me = self.client("mine")
        self.assertEqual(
            self.authenticate(authorization=self.sign("GET", "/x?y=1", b"", me), sourceIp="127.0.0.1"),
            {
                "status": "auth-success",
                "scheme": "hawk",
                "scopes": self.accepted(me),
                "clientId": "me",
                "expires": "2027-01-15T18:00:00.000Z",
                # mohawk always signs one, and whoever asks has the body that it must fit.
                "hash": calculate_payload_hash("", "sha256", "").decode(),
            },
        )

    def test_temporary_credentials_end_as_their_certificate_says(self) -> None:
        answer = self.authenticate(authorization=self.sign("GET", "/x?y=1", b"", self.temporary("a", name="t")))
        self.assertEqual((answer["clientId"], answer["expires"]), ("t", "2027-01-15T08:01:00.000Z"))

    def test_nobody(self) -> None:
        self.assertEqual(
            self.authenticate(),
            {
                "status": "no-auth",
                "scheme": "none",
                "scopes": self.accepted(None),
                "expires": "2027-01-15T08:15:00.000Z",
            },
        )

    def test_a_signature_that_is_wrong(self) -> None:
        for wrong in (
            {"authorization": self.sign("POST", "/x?y=1", b"", self.root)},
            {"authorization": self.sign("GET", "/x?y=1", b"", self.root), "port": 81},
            {"authorization": self.sign("GET", "/x?y=1", b"", self.root), "host": "other"},
            {"authorization": "Bearer x"},
            {"authorization": self.sign("GET", "/x?y=1", b"", Credentials("nobody", "x"))},
            {"authorization": self.sign("GET", "/x?y=1", b"", self.root, encode({"certificate": {"version": 2}}))},
            {"resource": "/x?bewit=abc"},
        ):
            answer = self.authenticate(**wrong)
            self.assertEqual(answer.pop("status"), "auth-failed", wrong)
            self.assertEqual(list(answer), ["message"])

    def test_what_is_no_request(self) -> None:
        good = {"method": "get", "resource": "/", "host": "h", "port": 80}
        for change in (
            {"method": "GET"},
            {"host": "a b"},
            {"port": 65536},
            {"port": "80"},
            {"x": 1},
            {"sourceIp": "me"},
        ):
            self.refused("auth", 400, "InputValidationError", "POST", "/authenticate-hawk", {**good, **change})
        for name in good:
            less = {key: value for key, value in good.items() if key != name}
            self.refused("auth", 400, "InputValidationError", "POST", "/authenticate-hawk", less)


class TryingOut(AuthTestCase):
    """The calls by which libraries try out whether they sign well."""

    def test_a_library_sees_who_it_signed_as(self) -> None:
        body = {"clientScopes": ["a:*", "b"], "requiredScopes": ["a:1"]}
        self.assertEqual(
            self.ask("auth", "POST", "/test-authenticate", body, TESTER),
            {"clientId": "tester", "scopes": ["a:*", "assume:anonymous", "b"]},
        )

    def test_scopes_that_lack(self) -> None:
        body = {"clientScopes": ["a"], "requiredScopes": ["b"]}
        self.assertIn("b", self.refused("auth", 403, "InsufficientScopes", "POST", "/test-authenticate", body, TESTER))

    def test_other_clients_are_unknown_there(self) -> None:
        for credentials in (self.root, Credentials("tester", "wrong")):
            self.refused("auth", 401, "AuthenticationFailed", "POST", "/test-authenticate", {}, credentials)

    def test_the_tester_is_unknown_elsewhere(self) -> None:
        self.refused_with(TESTER, "no client tester")

    def test_temporary_credentials_and_authorized_scopes(self) -> None:
        body = {"clientScopes": ["a:*", "auth:create-client:t/*"], "requiredScopes": ["a:1"]}
        self.ask("auth", "POST", "/test-authenticate", body, self.temporary("a:1", name="t/1", issuer=TESTER))
        other = self.temporary("a:1", name="u/1", issuer=TESTER)
        self.refused("auth", 401, "AuthenticationFailed", "POST", "/test-authenticate", body, other)
        narrow = self.begin("POST", f"{AUTH}/test-authenticate", body, TESTER, encode({"authorizedScopes": ["a:2"]}))
        self.assertEqual(narrow.answer().code, "InsufficientScopes")

    def test_nothing_is_required_of_nobody(self) -> None:
        answer = self.begin("POST", f"{AUTH}/test-authenticate", {}).answer()
        self.assertEqual(answer.json, {"clientId": "auth-failed:no-auth", "scopes": ["assume:anonymous"]})

    def test_the_body_is_looked_at_first(self) -> None:
        wrong = Credentials("nobody", "x")
        self.refused("auth", 400, "InputValidationError", "POST", "/test-authenticate", {"clientScopes": [1]}, wrong)

    def test_by_get(self) -> None:
        self.assertEqual(
            self.ask("auth", "GET", "/test-authenticate-get/", None, TESTER),
            {"clientId": "tester", "scopes": ["assume:anonymous", "auth:create-client:test:*", "test:*"]},
        )
        self.ask(
            "auth", "GET", "/test-authenticate-get", None, self.temporary("test:a*", name="test:me", issuer=TESTER)
        )
        less = self.temporary("test:b", name="test:me", issuer=TESTER)
        self.refused("auth", 403, "InsufficientScopes", "GET", "/test-authenticate-get", None, less)
        self.assertEqual(self.begin("GET", f"{AUTH}/test-authenticate-get").answer().code, "InsufficientScopes")


class Tunnel(AuthTestCase):
    secret = "a secret that is known to the tunnel too"
    arguments: ClassVar[Mapping[str, Any]] = {"tunnel_secret": secret}

    def test_a_token_that_a_websocktunnel_of_the_audience_takes(self) -> None:
        may = self.client("auth:websocktunnel-token:aud/me.1~2")
        answer = self.ask("auth", "GET", "/websocktunnel/aud/me.1~2", None, may)
        token = answer.pop("token")
        self.assertEqual(answer, {"wstClient": "me.1~2", "wstAudience": "aud", "expires": "2027-01-19T08:00:00.000Z"})
        # The clock of the test is not that of the library.
        claims = jwt.decode(
            token,
            self.secret,
            ["HS256"],
            audience="aud",
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        self.assertEqual(
            claims,
            {
                **{"tid": "me.1~2", "aud": "aud", "sub": "me", "iss": "taskcluster-auth"},
                **{"iat": START, "exp": START + 96 * 3600, "nbf": START - 900},
            },
        )

    def test_without_the_scope(self) -> None:
        self.refused("auth", 403, "InsufficientScopes", "GET", "/websocktunnel/aud/me", None, self.temporary("x"))

    def test_names_that_cannot_be(self) -> None:
        for path in ("a.b/me", "aud/a%20b", f"{'a' * 39}/me"):
            self.refused("auth", 400, "InvalidRequestArguments", "GET", f"/websocktunnel/{path}")


class Refusals(AuthTestCase):
    def test_who_did_not_sign_is_told_what_they_would_need(self) -> None:
        message = str(
            self.begin("PUT", f"{AUTH}/roles/r", {"scopes": ["a"], "description": ""}).answer().json["message"]
        )
        self.assertIn("Nobody signed", message)
        self.assertIn("AllOf: [auth:create-role:r, a]", message)

    def test_no_token_is_in_an_error(self) -> None:
        me = self.client("mine")
        for credentials in (me, self.temporary("mine", name="t", issuer=me), Credentials("other", me.access_token)):
            answer = self.call("GET", f"{AUTH}/sentry", None, credentials)
            refused = self.call("DELETE", f"{AUTH}/clients/me", None, credentials)
            for content in (answer.content, refused.content):
                self.assertNotIn(me.access_token.encode(), content)
                self.assertNotIn(credentials.access_token.encode(), content)
