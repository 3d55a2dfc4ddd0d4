"""Who calls: Hawk, temporary credentials, authorizedScopes, bewits (contracts of the queue, 3.1 to 3.5).

Two witnesses sign: mohawk by itself, and the C{taskcluster} package. C{test-authenticate} says what the service saw.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import urlsplit

from tests.conformance.callers import Credentials
from tests.conformance.case import QUEUE, new_id
from tests.conformance.deployment import encode
from tests.conformance.signing_case import JSON, SKEW, TEST, TEST_GET, TESTER, SigningTestCase


class Hawk(SigningTestCase):
    def test_with_and_without_a_hash(self) -> None:
        for content in (b"", None):
            self.assertEqual(self.send(self.deployment.sign("GET", TEST_GET, content, TESTER)).status, 200)
        self.assertSeen(self.try_out(["a:*"], ["a:b"]), "tester", "a:*")

    def test_a_wrong_hash(self) -> None:
        content = json.dumps({"clientScopes": [], "requiredScopes": []}).encode()
        for signed in (b"{}", content + b" "):
            self.assertFailed(self.send(self.deployment.sign("POST", TEST, signed, TESTER), TEST, content))
        # Without one, any body goes.
        self.assertEqual(self.send(self.deployment.sign("POST", TEST, None, TESTER), TEST, content).status, 200)

    def test_a_hash_is_of_the_very_bytes(self) -> None:
        body = {"clientScopes": ["a"], "requiredScopes": ["a"]}
        for content in (json.dumps(body).encode() + b"\n", json.dumps(body, indent=3).encode()):
            self.assertEqual(self.send(self.deployment.sign("POST", TEST, content, TESTER), TEST, content).status, 200)
        target = f"{QUEUE}/task/{new_id()}"
        content = json.dumps(self.definition(payload={"é": "\N{SNOWMAN}"}), ensure_ascii=False).encode()
        headers = {"Authorization": self.deployment.sign("PUT", target, content), **JSON}
        self.assertEqual(self.deployment.send("PUT", target, content, headers).status, 200)
        self.assertEqual(self.call("GET", target).json["payload"], {"é": "\N{SNOWMAN}"})

    def test_what_a_signature_is_of(self) -> None:
        good = self.deployment.sign("GET", TEST_GET, None, TESTER)
        post = self.deployment.sign("POST", TEST_GET, None, TESTER)
        other = self.deployment.sign("GET", f"{TEST_GET}x", None, TESTER)
        changed = [good.replace('mac="', 'mac="x'), good.replace('nonce="', 'nonce="x'), good.replace('ts="', 'ts="1')]
        for signature in (post, other, *changed):
            self.assertFailed(self.send(signature))
        self.assertFailed(
            self.send(self.deployment.sign("GET", f"{QUEUE}/task/{new_id()}"), f"{QUEUE}/task/{new_id()}")
        )

    def test_the_path_is_signed_as_it_is_sent(self) -> None:
        task_id = self.create()
        for target in (f"{QUEUE}/task/{task_id}", f"{QUEUE}/task/%{ord(task_id[0]):02x}{task_id[1:]}"):
            self.assertEqual(self.call("GET", target).status, 200)
        signature = self.deployment.sign("GET", f"{QUEUE}/task/{task_id}")
        encoded = f"{QUEUE}/task/%{ord(task_id[0]):02x}{task_id[1:]}"
        self.assertFailed(self.send(signature, encoded))

    def test_the_host_is_signed(self) -> None:
        signature = self.deployment.sign("GET", TEST_GET, None, TESTER)
        address = urlsplit(self.deployment.root_url)
        forwarded = {"Authorization": signature, "X-Forwarded-Port": str((address.port or 443) + 1)}
        if address.scheme == "https":
            self.skipTest("a proxy in front of the deployment sets these headers itself")
        self.assertFailed(self.deployment.send("GET", TEST_GET, headers=forwarded))
        self.assertFailed(
            self.deployment.send("GET", TEST_GET, headers={"Authorization": signature, "X-Forwarded-Proto": "https"})
        )

    def test_clocks_may_differ_by_a_quarter_of_an_hour(self) -> None:
        for seconds in (-SKEW + 30, SKEW - 30):
            now = str(int(time.time() + seconds))
            self.assertEqual(self.send(self.deployment.sign("GET", TEST_GET, None, TESTER, _timestamp=now)).status, 200)
        for seconds in (-SKEW - 30, SKEW + 30):
            now = str(int(time.time() + seconds))
            self.assertFailed(self.send(self.deployment.sign("GET", TEST_GET, None, TESTER, _timestamp=now)))

    def test_the_same_signature_twice(self) -> None:
        signature = self.deployment.sign("GET", TEST_GET, None, TESTER)
        self.assertEqual([self.send(signature).status for _ in range(2)], [200, 200])

    def test_who_is_not_known(self) -> None:
        for credentials in (Credentials("tester", "secret"), Credentials("nobody", "no-secret")):
            self.assertFailed(self.try_out([], credentials=credentials))

    def test_headers_that_make_no_sense(self) -> None:
        for header in ("Hawk", "Hawk nonsense", "Basic YTpi", 'Hawk id="tester"', "", "Hawk " + "x" * 5000):
            if header:
                self.assertFailed(self.send(header))

    def test_ext(self) -> None:
        for ext in (encode({}), urlsafe_b64encode(b"{}").decode(), b64encode(b'{"unknown": "?>?"}').decode()):
            self.assertEqual(self.try_out(["a"], ["a"], ext=ext).status, 200)
        for ext in ("bm9uc2Vuc2U=", "e"):
            self.assertFailed(self.try_out(["a"], ["a"], ext=ext))


class Scopes(SigningTestCase):
    def test_the_package_is_understood(self) -> None:
        auth = self.deployment.services(TESTER).auth
        seen = auth.testAuthenticate({"clientScopes": ["a:*", "b"], "requiredScopes": ["a:b", "b"]})
        self.assertEqual((seen["clientId"], set(seen["scopes"]) - {"assume:anonymous"}), ("tester", {"a:*", "b"}))
        seen = auth.testAuthenticateGet()
        self.assertEqual(seen["clientId"], "tester")
        self.assertLessEqual({"test:*", "auth:create-client:test:*"}, set(seen["scopes"]))

    def test_scopes_that_are_missing(self) -> None:
        self.assertRefused(self.try_out(["a:b"], ["a:c"]), "InsufficientScopes")

    def test_stars(self) -> None:
        for held, asked in (("*", "a"), ("a:*", "a:"), ("a*", "ab"), ("a*", "a*"), ("a:*", "a:b*")):
            self.assertEqual(self.try_out([held], [asked]).status, 200, (held, asked))
        for held, asked in (("a:*", "a"), ("a:*", "b"), ("a*b", "axb"), ("a", "a*"), ("a:b", "a:*")):
            self.assertRefused(self.try_out([held], [asked]), "InsufficientScopes")


class AuthorizedScopes(SigningTestCase):
    def test_they_are_what_is_left(self) -> None:
        answer = self.try_out(["a:*"], ["a:b"], ext=encode({"authorizedScopes": ["a:b"]}))
        self.assertSeen(answer, "tester", "a:b")
        answer = self.try_out(["a:*"], ["a:c"], ext=encode({"authorizedScopes": ["a:b"]}))
        self.assertRefused(answer, "InsufficientScopes")
        self.assertSeen(self.try_out(["a:*"], [], ext=encode({"authorizedScopes": []})), "tester")

    def test_more_than_the_caller_has(self) -> None:
        for scopes in (["b"], ["a:b", "b"]):
            self.assertFailed(self.try_out(["a:*"], [], ext=encode({"authorizedScopes": scopes})))

    def test_what_makes_no_sense(self) -> None:
        for scopes in ("a", [1], ["é"], {"a": 1}):
            self.assertFailed(self.try_out(["*"], [], ext=encode({"authorizedScopes": scopes})))

    def test_with_a_certificate(self) -> None:
        made = self.temporary("a:*")
        certificate = json.loads(made.certificate or "")
        for scopes, status in ((["a:b"], 200), (["b"], 401)):
            ext = encode({"certificate": certificate, "authorizedScopes": scopes})
            self.assertEqual(self.try_out(["a:*", "b"], [], credentials=made, ext=ext).status, status)

    def test_the_package_uses_them(self) -> None:
        held, other = self.running(), self.running()
        own = f"queue:resolve-task:{held.task_id}/0"
        queue = self.deployment.services(self.deployment.root, authorizedScopes=[own]).queue
        with self.refused("InsufficientScopes"):
            queue.reportCompleted(*other.run)
        self.assertEqual(queue.reportCompleted(*held.run)["status"]["state"], "completed")
        with self.refused("AuthenticationFailed"):
            more = self.deployment.services(held.credentials, authorizedScopes=["queue:create-task:*"])
            more.queue.reclaimTask(*held.run)
