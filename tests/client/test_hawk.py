from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime
from typing import Any

import mohawk
from taskcluster import Auth as ReferenceAuth
from taskcluster import createTemporaryCredentials
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.hawk import Authorization, make_ext, open_ext, payload_hash, sign
from tcworker.interfaces import Credentials

URL = "https://tc.example/api/queue/v1/task/a/runs/0/artifacts/public%2Fx%20y?limit=1&a=%2F"
TARGET = "/api/queue/v1/task/a/runs/0/artifacts/public%2Fx%20y?limit=1&a=%2F"
PLAIN = Credentials("project/worker", "the-token")
TEMPORARY = Credentials("task-client/x", "other-token", '{"version": 1, "scopes": ["a:*"], "signature": "s"}')


def parsed(header: str) -> Authorization:
    return Authorization.parse(header)


class SignTests(SynchronousTestCase):
    def test_a_receiver_of_another_make_accepts_it(self) -> None:
        header = sign("get", URL, PLAIN, time=1_700_000_000.9)
        mohawk.Receiver(
            lambda client_id: {"id": client_id, "key": "the-token", "algorithm": "sha256"},
            header,
            URL,
            "GET",
            accept_untrusted_content=True,
            timestamp_skew_in_seconds=10**9,
        )

    def test_it_is_good_for_this_request_alone(self) -> None:
        authorization = parsed(sign("GET", URL, PLAIN, time=0))
        request = ("the-token", "GET", TARGET, "tc.example", 443)
        self.assertTrue(authorization.is_signed_with(*request))
        for place, other in enumerate(("a-token", "PUT", TARGET.replace("%2F", "/"), "tc.other", 80)):
            changed: list[Any] = list(request)
            changed[place] = other
            self.assertFalse(authorization.is_signed_with(*changed), other)

    def test_says_who_and_when(self) -> None:
        authorization = parsed(sign("GET", URL, PLAIN, time=1234.9))
        self.assertEqual((authorization.client_id, authorization.timestamp), ("project/worker", 1234))

    def test_no_two_are_alike(self) -> None:
        self.assertNotEqual(sign("GET", URL, PLAIN, time=0), sign("GET", URL, PLAIN, time=0))

    def test_the_port_is_that_of_the_address(self) -> None:
        authorization = parsed(sign("GET", "http://LOCALHOST:8080/x", PLAIN, time=0))
        self.assertTrue(authorization.is_signed_with("the-token", "GET", "/x", "localhost", 8080))
        authorization = parsed(sign("GET", "http://localhost/x", PLAIN, time=0))
        self.assertTrue(authorization.is_signed_with("the-token", "GET", "/x", "localhost", 80))

    def test_certificate_and_authorized_scopes_go_along_signed(self) -> None:
        authorization = parsed(sign("GET", URL, TEMPORARY, time=0, authorized_scopes=["a:b"]))
        self.assertEqual(
            open_ext(authorization.ext),
            {"certificate": json.loads(TEMPORARY.certificate or ""), "authorizedScopes": ["a:b"]},
        )
        self.assertTrue(authorization.is_signed_with("other-token", "GET", TARGET, "tc.example", 443))

    def test_no_scopes_at_all_differs_from_no_limit(self) -> None:
        self.assertEqual(
            open_ext(parsed(sign("GET", URL, PLAIN, time=0, authorized_scopes=[])).ext), {"authorizedScopes": []}
        )
        self.assertEqual(parsed(sign("GET", URL, PLAIN, time=0)).ext, "")

    def test_a_long_certificate_is_no_obstacle(self) -> None:
        scopes = [f"queue:route:index.project.{number}" for number in range(500)]
        credentials = Credentials("a", "b", json.dumps({"scopes": scopes}))
        authorization = parsed(sign("GET", URL, credentials, time=0))
        self.assertEqual(open_ext(authorization.ext)["certificate"]["scopes"], scopes)

    def test_temporary_credentials_of_the_reference_client_are_understood(self) -> None:
        made = createTemporaryCredentials(
            "issuer", "key", datetime(2030, 1, 1), datetime(2030, 1, 2), ["a:*"], name="me"
        )
        credentials = Credentials(made["clientId"], made["accessToken"].decode(), made["certificate"])
        ext = open_ext(parsed(sign("GET", URL, credentials, time=0)).ext)
        self.assertEqual((ext["certificate"]["issuer"], ext["certificate"]["scopes"]), ("issuer", ["a:*"]))

    def test_no_secret_is_shown(self) -> None:
        authorization = parsed(sign("GET", URL, TEMPORARY, time=0))
        self.assertNotIn(authorization.mac, repr(authorization))
        self.assertNotIn(authorization.ext, repr(authorization))


class ParseTests(SynchronousTestCase):
    def test_the_reference_clients_signature_is_accepted(self) -> None:
        client = ReferenceAuth(
            {"rootUrl": "https://tc.example", "credentials": {"clientId": "me", "accessToken": "key"}}
        )
        sender = mohawk.Sender(
            {"id": "me", "key": "key", "algorithm": "sha256"},
            URL,
            "POST",
            content='{"a":1}',
            content_type="application/json",
            ext=client.makeHawkExt(),
        )
        authorization = parsed(sender.request_header)
        self.assertTrue(authorization.is_signed_with("key", "POST", TARGET, "tc.example", 443))
        self.assertEqual(authorization.hash, payload_hash(b'{"a":1}', "application/json; charset=utf-8"))
        self.assertEqual(open_ext(authorization.ext), {})

    def test_what_is_not_hawk_is_refused(self) -> None:
        header = sign("GET", URL, PLAIN, time=0)
        wrong = ["", "Hawk", "Basic YTpi", header.replace("Hawk", "Bearer"), header + ', id="other"', header + " rest"]
        wrong += [header.replace(f"{name}=", f"x{name}=") for name in ("id", "ts", "nonce", "mac")]
        wrong += [header.replace('ts="0"', f'ts="{time}"') for time in ("now", "", "-1", "1.5", "9" * 400)]
        wrong += [header + ', more="1"']
        for text in wrong:
            self.assertRaises(ValueError, Authorization.parse, text)

    def test_an_application_is_signed_along(self) -> None:
        credentials = {"id": "me", "key": "key", "algorithm": "sha256"}
        sender = mohawk.Sender(credentials, URL, "GET", content="", content_type="", app="app", dlg="by")
        self.assertTrue(parsed(sender.request_header).is_signed_with("key", "GET", TARGET, "tc.example", 443))
        forged = sender.request_header.replace('app="app"', 'app="other"')
        self.assertFalse(parsed(forged).is_signed_with("key", "GET", TARGET, "tc.example", 443))

    def test_a_forged_ext_breaks_the_signature(self) -> None:
        header = sign("GET", URL, PLAIN, time=0, authorized_scopes=["a"])
        forged = header.replace(make_ext(None, ("a",)), make_ext(None, ("*",)))
        self.assertNotEqual(forged, header)
        self.assertFalse(parsed(forged).is_signed_with("the-token", "GET", TARGET, "tc.example", 443))


class ExtTests(SynchronousTestCase):
    def test_either_alphabet_with_and_without_padding(self) -> None:
        for text in ("eyJhIjoiPz8_In0=", "eyJhIjoiPz8/In0=", "eyJhIjoiPz8_In0"):
            self.assertEqual(open_ext(text), {"a": "???"})

    def test_what_holds_no_object_is_refused(self) -> None:
        deep = b64encode(b'{"a":' + b"[" * 100_000).decode()
        for text in ("W10=", "bm8=", "!!!!", "eyJhIjoi", deep):
            self.assertRaises(ValueError, open_ext, text)

    def test_the_hash_of_no_body_is_the_one_that_clients_send(self) -> None:
        self.assertEqual(payload_hash(b"", ""), "B0weSUXsMcb5UhL41FZbrUJCAotzSI3HawE1NPLRUz8=")
