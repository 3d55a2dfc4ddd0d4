"""URLs that are signed in their query, with mohawk and the taskcluster package as witnesses."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from mohawk.base import Resource
from mohawk.bewit import get_bewit
from taskcluster import Queue

from tcworker.interfaces import Credentials
from tests.embedded.auth.case import AUTH, CURRENT, START, AuthTestCase, encode
from tests.embedded.wire import target_of

CLIENTS = f"{AUTH}/clients"


class BewitTestCase(AuthTestCase):
    def bewit(
        self, target: str, credentials: Credentials | None = None, ext: str = "", expires: int = START + 900
    ) -> str:
        signer = credentials or self.root
        resource = Resource(
            credentials={"id": signer.client_id, "key": signer.access_token, "algorithm": "sha256"},
            url=f"http://taskcluster.test:80{target}",
            method="GET",
            timestamp=str(expires),
            nonce="",
            ext=ext,
        )
        # As clients of Taskcluster do; the real services take no padding.
        return str(get_bewit(resource)).rstrip("=")

    def signed(self, target: str, **more: Any) -> str:
        return f"{target}{'&' if '?' in target else '?'}bewit={self.bewit(target, **more)}"

    def status(self, target: str, method: str = "GET", headers: dict[str, str] | None = None) -> int:
        return self.send(method, target, headers=headers).answer().status

    def unsigned(self, target: str, why: str) -> None:
        answer = self.send("GET", target).answer()
        self.assertRefused(answer, 401, "AuthenticationFailed")
        self.assertEqual(answer.headers["www-authenticate"], "hawk")
        self.assertIn(why, answer.json["message"])


class Accepted(BewitTestCase):
    def test_it_says_who_calls(self) -> None:
        self.assertEqual(self.send("GET", self.signed(CURRENT)).answer().json, {"scopes": ["*"]})

    def test_head_is_as_good_as_get(self) -> None:
        self.assertEqual(self.status(self.signed(CURRENT), "HEAD"), 200)

    def test_it_is_one_key_of_the_query_among_others_anywhere(self) -> None:
        target = f"{CLIENTS}?limit=1&prefix=static"
        for path, query in (
            ("limit=1&prefix=static&", ""),
            ("", "&limit=1&prefix=static"),
            ("limit=1&", "&prefix=static"),
        ):
            signed = f"{CLIENTS}?{path}bewit={self.bewit(target)}{query}"
            self.assertEqual(self.status(signed), 200, signed)

    def test_the_taskcluster_packages(self) -> None:
        task_id = self.create()
        credentials = {"clientId": self.root.client_id, "accessToken": self.root.access_token}
        queue = Queue({"rootUrl": "http://taskcluster.test:80", "credentials": credentials})
        url = queue.buildSignedUrl("listTaskGroup", task_id, expiration=START)
        # That package takes the time from the clock of the machine, so that only its own end counts here.
        self.assertIn("bewit=", url)
        parts = urlsafe_b64decode(url.partition("bewit=")[2] + "==").decode().split("\\")
        self.reactor.rightNow = int(parts[1]) - 10
        self.assertEqual(self.status(target_of(url)), 200)
        self.reactor.advance(11)
        self.unsigned(target_of(url), "expired")

    def test_temporary_credentials_sign_as_well(self) -> None:
        mine = self.temporary("mine:a")
        ext = encode({"certificate": json.loads(mine.certificate or "")})
        answer = self.send("GET", self.signed(CURRENT, credentials=mine, ext=ext)).answer()
        self.assertIn("mine:a", answer.json["scopes"])

    def test_authorized_scopes_hold(self) -> None:
        answer = self.send("GET", self.signed(CURRENT, ext=encode({"authorizedScopes": ["mine:a"]}))).answer()
        self.assertIn("mine:a", answer.json["scopes"])
        self.assertNotIn("*", answer.json["scopes"])


class Refused(BewitTestCase):
    def test_it_ends(self) -> None:
        target = self.signed(CURRENT, expires=START + 10)
        self.reactor.advance(9)
        self.assertEqual(self.status(target), 200)
        self.reactor.advance(1)
        self.unsigned(target, "expired")

    def test_of_another_url_or_token(self) -> None:
        self.unsigned(self.signed(CURRENT) + "&x=1", "MAC")
        self.unsigned(f"{CLIENTS}?bewit={self.bewit(CURRENT)}", "MAC")
        self.unsigned(self.signed(CURRENT, credentials=Credentials(self.root.client_id, "x" * 44)), "MAC")
        self.unsigned(self.signed(CURRENT, credentials=Credentials("nobody", "x")), "no client nobody")

    def test_beside_a_header(self) -> None:
        target = self.signed(CURRENT)
        header = {"Authorization": self.sign("GET", target, b"", self.root)}
        self.assertEqual(self.status(target, headers=header), 401)

    def test_methods_that_change_things(self) -> None:
        for method, path in (("POST", "/clients/me/reset"), ("DELETE", "/clients/me")):
            self.assertEqual(self.status(self.signed(AUTH + path), method), 401)

    def test_what_is_none(self) -> None:
        for text in ("a", "a\\b\\c", "\\1\\m\\", "a\\x\\m\\", "a\\0\\m\\", f"a\\{START}\\\\", f"a\\{START}\\m\\e\\e"):
            encoded = urlsafe_b64encode(text.encode()).decode().rstrip("=")
            self.unsigned(f"{CURRENT}?bewit={encoded}", "bewit is not made of")
        for wrong in ("", "!", "a=", "%41", "a+b", "a/b"):
            self.assertEqual(self.status(f"{CURRENT}?bewit={wrong}"), 401, wrong)
        self.unsigned(f"{CURRENT}?bewit=a", "base64")

    def test_a_url_has_4096_characters_at_the_most(self) -> None:
        self.unsigned(self.signed(CURRENT, ext=encode({"x": "x" * 3000})), "4096")

    def test_a_call_that_needs_nobody_does_not_look_at_it(self) -> None:
        self.assertEqual(self.status(f"{AUTH}/ping?bewit=nonsense"), 200)
