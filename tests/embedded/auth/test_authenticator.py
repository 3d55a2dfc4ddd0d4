"""Signatures, against mohawk as an independent witness."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import slugid
from taskcluster.client import createTemporaryCredentials

from tcworker.embedded.auth.certificates import issue, sign
from tcworker.interfaces import Credentials
from tests.embedded.auth.case import CURRENT, MINUTE, NOW, START, AuthTestCase, encode


class Signatures(AuthTestCase):
    def test_the_root_client_may_do_everything(self) -> None:
        self.assertEqual(self.accepted(self.root), ["*"])

    def test_nobody_is_anonymous(self) -> None:
        scopes = self.accepted(None)
        self.assertIn("queue:get-artifact:public/*", scopes)
        self.assertNotIn("*", scopes)

    def test_a_wrong_token(self) -> None:
        self.refused_with(Credentials(self.root.client_id, "x" * 44), "MAC")

    def test_an_unknown_client(self) -> None:
        self.refused_with(Credentials("nobody", "x"), "no client nobody")

    def test_a_clock_within_fifteen_minutes(self) -> None:
        for skew, status in ((899, 200), (-899, 200), (901, 401), (-901, 401)):
            self.reactor.rightNow = START + skew
            header = {"Authorization": self.sign("GET", CURRENT, b"", self.root)}
            self.reactor.rightNow = START
            self.assertEqual(self.send("GET", CURRENT, headers=header).answer().status, status, skew)

    def test_the_signature_is_of_the_target_as_it_came(self) -> None:
        signed = "/api/queue/v1/task-group/%61bc/list"
        header = {"Authorization": self.sign("GET", signed, b"", self.root)}
        self.assertEqual(self.send("GET", signed, headers=header).answer().status, 400)
        self.assertEqual(self.send("GET", signed.replace("%61", "a"), headers=header).answer().status, 401)

    def test_the_signature_is_of_the_method(self) -> None:
        header = {"Authorization": self.sign("PUT", CURRENT, b"", self.root)}
        self.assertEqual(self.send("GET", CURRENT, headers=header).answer().status, 401)

    def test_a_body_that_was_changed(self) -> None:
        target = "/api/auth/v1/scopes/expand"
        headers = {
            "Authorization": self.sign("POST", target, b'{"scopes": []}', self.root),
            "Content-Type": "application/json",
        }
        self.assertEqual(self.send("POST", target, b'{"scopes": []}', headers).answer().status, 200)
        self.assertEqual(self.send("POST", target, b'{"scopes":[]}', headers).answer().status, 401)

    def test_a_header_has_4096_characters_at_the_most(self) -> None:
        # As many as the real services take: a task with more scopes finds that out here, and not there.
        short = len(self.sign("GET", CURRENT, b"", self.root, encode({"x": ""})))
        for more, status in ((0, 200), (4, 401)):
            ext = encode({"x": "x" * ((4096 - short) // 4 * 3 + more)})
            header = self.sign("GET", CURRENT, b"", self.root, ext)
            self.assertEqual(len(header) <= 4096, status == 200, len(header))
            self.assertEqual(self.send("GET", CURRENT, headers={"Authorization": header}).answer().status, status)

    def test_a_port_that_a_proxy_names(self) -> None:
        for headers in ({"x-forwarded-port": "443"}, {"x-forwarded-proto": "https"}):
            signed = {**headers, "Authorization": self.sign("GET", CURRENT, b"", self.root)}
            self.assertEqual(self.send("GET", CURRENT, headers=signed).answer().status, 401, headers)

    def test_headers_that_are_none_of_hawk(self) -> None:
        for header in ("Hawk", "Bearer abc", 'Hawk id="a"', 'Hawk id="a", ts="x", nonce="n", mac="m"', "Hawk ü"):
            answer = self.send("GET", CURRENT, headers={"Authorization": header}).answer()
            self.assertEqual(answer.status, 401, header)

    def test_ext_that_says_nothing(self) -> None:
        for ext in ("e30=", "e30", ""):
            self.assertEqual(self.accepted(self.root, ext), ["*"])
        for ext in ("e", "!!", encode([]), encode("x")):
            self.refused_with(self.root, "ext", ext)


class TemporaryCredentials(AuthTestCase):
    def test_they_have_the_scopes_of_their_certificate(self) -> None:
        scopes = self.accepted(self.temporary("mine:a", "mine:b"))
        self.assertEqual([scope for scope in scopes if scope.startswith("mine")], ["mine:a", "mine:b"])

    def test_everybody_has_those_of_anonymous_as_well(self) -> None:
        self.assertIn("queue:status:*", self.accepted(self.temporary("mine:a")))

    def test_those_that_the_taskcluster_package_makes(self) -> None:
        for name in ("me", None):
            start = datetime.utcfromtimestamp(START)
            made = createTemporaryCredentials(
                self.root.client_id, self.root.access_token, start, start + timedelta(hours=1), ["mine:a"], name
            )
            credentials = Credentials(made["clientId"], made["accessToken"].decode(), made["certificate"])
            self.assertIn("mine:a", self.accepted(credentials))

    def test_they_end_five_minutes_after_their_expiry(self) -> None:
        credentials = self.temporary("mine:a")
        self.reactor.advance(60 + 299)
        self.accepted(credentials)
        self.reactor.advance(2)
        self.refused_with(credentials, "expired")

    def test_those_that_begin_later(self) -> None:
        self.accepted(self.temporary("mine:a", start=NOW + 5 * MINUTE, expiry=NOW + 6 * MINUTE))
        self.refused_with(self.temporary("a", start=NOW + 6 * MINUTE, expiry=NOW + 7 * MINUTE), "future")

    def test_those_for_more_than_31_days(self) -> None:
        self.refused_with(self.temporary("a", expiry=NOW + 31 * 24 * 60 * MINUTE + 1), "31 days")

    def test_a_certificate_that_was_changed(self) -> None:
        credentials = self.temporary("mine:a")
        certificate = json.loads(credentials.certificate or "")
        certificate["scopes"].append("more:b")
        self.refused_with(credentials, "signature", encode({"certificate": certificate}))

    def test_they_make_no_others(self) -> None:
        mine = self.temporary("auth:create-client:*", "*")
        self.refused_with(issue(mine, "other", ["a"], NOW, NOW + MINUTE), "no client me")

    def test_an_issuer_of_its_own_name(self) -> None:
        self.refused_with(self.temporary("a", name=self.root.client_id), "must not be")

    def test_certificates_that_are_none(self) -> None:
        good = json.loads(self.temporary("mine:a").certificate or "")
        changes: list[dict[str, Any]] = [
            {"version": 2},
            {"seed": "short"},
            {"seed": 3},
            {"start": "1"},
            {"scopes": [1]},
            {"scopes": None},
            {"issuer": {}},
            {"signature": None},
            {"signature": "\ud800"},
        ]
        for change in changes:
            self.refused_with(self.root, "certificate", encode({"certificate": {**good, **change}}))
        nothings: list[Any] = [3, "text", [], {}]
        for nothing in nothings:
            self.refused_with(self.root, "certificate", encode({"certificate": nothing}))

    def test_the_text_that_is_signed_is_the_contracts(self) -> None:
        seed = slugid.v4() + slugid.v4()
        text = f"version:1\nclientId:me\nissuer:{self.root.client_id}\nseed:{seed}\nstart:1\nexpiry:2\nscopes:\na\nb"
        certificate = json.loads(issue(self.root, "me", ["a", "b"], 1, 2).certificate or "")
        text = text.replace(seed, certificate["seed"])
        self.assertEqual(certificate["signature"], sign(self.root.access_token, text).decode())


class AuthorizedScopes(AuthTestCase):
    def test_they_take_the_place_of_all_others(self) -> None:
        scopes = self.accepted(self.root, encode({"authorizedScopes": ["mine:a"]}))
        self.assertIn("mine:a", scopes)
        self.assertNotIn("*", scopes)

    def test_they_narrow_temporary_credentials(self) -> None:
        credentials = self.temporary("mine:*")
        ext = {"certificate": json.loads(credentials.certificate or ""), "authorizedScopes": ["mine:b"]}
        scopes = self.accepted(credentials, encode(ext))
        self.assertEqual([scope for scope in scopes if scope.startswith("mine")], ["mine:b"])

    def test_they_cannot_be_more_than_there_is(self) -> None:
        credentials = self.temporary("mine:a")
        ext = {"certificate": json.loads(credentials.certificate or ""), "authorizedScopes": ["mine:b"]}
        self.refused_with(credentials, "authorizedScopes", encode(ext))

    def test_they_may_be_what_everybody_has(self) -> None:
        self.accepted(self.temporary("mine:a"))
        credentials = self.temporary("mine:a")
        certificate = json.loads(credentials.certificate or "")
        self.accepted(credentials, encode({"certificate": certificate, "authorizedScopes": ["queue:status:*"]}))

    def test_what_is_no_list_of_scopes(self) -> None:
        wrongs: list[Any] = ["*", {"AllOf": []}, [{"AllOf": []}], [3]]
        for wrong in wrongs:
            self.refused_with(self.root, "authorizedScopes", encode({"authorizedScopes": wrong}))
