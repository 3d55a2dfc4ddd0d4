"""Who calls: Hawk, temporary credentials, authorizedScopes, bewits (contracts of the queue, 3.1 to 3.5).

Two witnesses sign: mohawk by itself, and the C{taskcluster} package. C{test-authenticate} says what the service saw.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from taskcluster.client import createTemporaryCredentials

from tests.conformance.case import QUEUE, ConformanceTestCase, new_id, random_name
from tests.conformance.deployment import Answer, Credentials, encode

TEST = "/api/auth/v1/test-authenticate"
TEST_GET = "/api/auth/v1/test-authenticate-get"
TESTER = Credentials("tester", "no-secret")
JSON = {"Content-Type": "application/json"}
SKEW = 15 * 60


class SigningTestCase(ConformanceTestCase):
    def send(self, authorization: str, target: str = TEST_GET, content: bytes = b"") -> Answer:
        method = "POST" if content else "GET"
        return self.deployment.send(
            method, target, content, {"Authorization": authorization, **(JSON if content else {})}
        )

    def try_out(self, client_scopes: Sequence[str], required: Sequence[str] = (), **how: Any) -> Answer:
        """Ask test-authenticate with a signature by mohawk."""
        content = json.dumps({"clientScopes": list(client_scopes), "requiredScopes": list(required)}).encode()
        signature = self.deployment.sign("POST", TEST, content, how.pop("credentials", TESTER), **how)
        return self.send(signature, TEST, content)

    def temporary(self, *scopes: str, name: str | None = None, start: float = -60, expiry: float = 600) -> Credentials:
        now = datetime.now(UTC)
        dates = [now + timedelta(seconds=seconds) for seconds in (start, expiry)]
        made = createTemporaryCredentials("tester", "no-secret", *dates, list(scopes), name)
        return Credentials.from_json(made)

    def assertSeen(self, answer: Answer, client_id: str, *scopes: str) -> None:
        self.assertEqual(answer.status, 200, answer.content)
        self.assertEqual(answer.json["clientId"], client_id)
        # Everybody has what anybody has.
        self.assertEqual(set(answer.json["scopes"]) - {"assume:anonymous"}, set(scopes))

    def assertFailed(self, answer: Answer) -> None:
        self.assertRefused(answer, "AuthenticationFailed")


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


class Certificates(SigningTestCase):
    def test_unnamed(self) -> None:
        self.assertSeen(self.try_out(["a:*"], ["a:b"], credentials=self.temporary("a:b")), "tester", "a:b")

    def test_named(self) -> None:
        scopes = ["a:*", "auth:create-client:conformance/*"]
        named = self.temporary("a:b", name="conformance/name")
        self.assertSeen(self.try_out(scopes, ["a:b"], credentials=named), "conformance/name", "a:b")

    def test_the_package_uses_them(self) -> None:
        for credentials in (self.temporary("a:b"), self.temporary("a:b", name="conformance/name")):
            auth = self.deployment.services(credentials).auth
            asked = {"clientScopes": ["a:*", "auth:create-client:*"], "requiredScopes": ["a:b"]}
            self.assertEqual(auth.testAuthenticate(asked)["clientId"], credentials.client_id)

    def test_not_more_than_the_issuer_has(self) -> None:
        self.assertFailed(self.try_out(["a:b"], [], credentials=self.temporary("a:*")))
        self.assertRefused(self.try_out(["a:*"], ["a:c"], credentials=self.temporary("a:b")), "InsufficientScopes")

    def test_a_name_that_the_issuer_may_not_give(self) -> None:
        for scopes in (["a:*"], ["a:*", "auth:create-client:other/*"]):
            self.assertFailed(self.try_out(scopes, [], credentials=self.temporary("a:b", name="conformance/name")))

    def test_their_time(self) -> None:
        within = ((-60, 600), (4 * 60, 600), (-600, -4 * 60), (-60, 31 * 86400 - 120))
        for start, expiry in within:
            self.assertEqual(
                self.try_out(["a"], ["a"], credentials=self.temporary("a", start=start, expiry=expiry)).status, 200
            )
        for start, expiry in ((6 * 60, 900), (-900, -6 * 60)):
            self.assertFailed(self.try_out(["a"], ["a"], credentials=self.temporary("a", start=start, expiry=expiry)))

    def changed(self, name: str | None = None, **change: Any) -> Credentials:
        """Give credentials whose certificate is not as it was signed."""
        made = self.temporary("a", name=name)
        certificate = {**json.loads(made.certificate or ""), **change}
        return Credentials(made.client_id, made.access_token, json.dumps(certificate))

    def test_a_certificate_that_was_changed(self) -> None:
        soon = int(time.time() * 1000) + 900_000
        wrong: list[dict[str, Any]] = [
            {"version": 2},
            {"scopes": ["a", "b"]},
            {"scopes": "a"},
            {"expiry": soon},
            {"expiry": str(soon)},
            {"seed": "short"},
            {"seed": "x" * 44},
            {"signature": "x" * 44},
            {"signature": None},
            {"clientId": "tester"},
            {"issuer": "tester"},
            {"issuer": 1},
        ]
        for change in wrong:
            with self.subTest(change=change):
                self.assertFailed(self.try_out(["a", "b"], [], credentials=self.changed(**change)))

    def test_another_name_than_was_signed(self) -> None:
        made = self.temporary("a", name="conformance/name")
        stolen = Credentials("conformance/other", made.access_token, made.certificate)
        self.assertFailed(self.try_out(["a", "auth:create-client:*"], [], credentials=stolen))

    def test_longer_than_31_days(self) -> None:
        # The package refuses to make them, so that they are made by hand from one that is a little longer.
        start, expiry = (int((time.time() + seconds) * 1000) for seconds in (-60, 31 * 86400 + 3600))
        self.assertFailed(self.try_out(["a"], [], credentials=self.changed(start=start, expiry=expiry)))

    def test_they_work_everywhere(self) -> None:
        task_id = self.create()
        name = f"conformance/{random_name()}"
        for credentials in (
            self.deployment.issue(f"queue:cancel-task:-/{task_id}/{task_id}"),
            self.deployment.issue(f"queue:cancel-task:-/{task_id}/{task_id}", name=name),
        ):
            self.assertEqual(
                self.deployment.services(credentials).queue.cancelTask(task_id)["status"]["taskId"], task_id
            )

    def test_they_issue_no_others(self) -> None:
        issuer = self.deployment.issue("*")
        made = self.deployment.issue("queue:status:*", name=f"conformance/{random_name()}", issuer=issuer)
        self.assertFailed(self.call("GET", f"{QUEUE}/task/{new_id()}/status", credentials=made))


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


class Bewits(SigningTestCase):
    def signed(self, credentials: Credentials = TESTER, **how: Any) -> str:
        auth = self.deployment.services(credentials).auth
        url = auth.buildSignedUrl("testAuthenticateGet", **how)
        return url[len(self.deployment.root_url) :]

    def test_an_address_that_is_signed(self) -> None:
        answer = self.deployment.send("GET", self.signed())
        self.assertEqual((answer.status, answer.json["clientId"]), (200, "tester"))

    def test_by_temporary_credentials(self) -> None:
        made = self.temporary("test:authenticate-get", name="test:conformance")
        answer = self.deployment.send("GET", self.signed(made))
        self.assertEqual((answer.status, answer.json["clientId"]), (200, "test:conformance"))

    def test_its_time(self) -> None:
        self.assertFailed(self.deployment.send("GET", self.signed(expiration=-5)))

    def test_it_is_for_reading(self) -> None:
        target = self.signed()
        self.assertEqual(self.deployment.send("HEAD", target).status, 200)

    def test_a_changed_one(self) -> None:
        target = self.signed()
        for other in (target[:-8] + "x" * 8, target + "x", target.replace("bewit=", "bewit=!")):
            self.assertFailed(self.deployment.send("GET", other))

    def test_together_with_a_header(self) -> None:
        target = self.signed()
        signature = self.deployment.sign("GET", target, None, TESTER)
        self.assertFailed(self.send(signature, target))

    def test_a_query_key_that_every_call_knows(self) -> None:
        held = self.running()
        url = held.services.queue.buildSignedUrl("task", held.task_id)
        self.assertEqual(self.deployment.send("GET", url[len(self.deployment.root_url) :]).status, 200)

    def test_artifacts_that_are_not_public(self) -> None:
        held = self.running()
        reference = {"storageType": "reference", "url": "https://example.com/", "contentType": "text/plain"}
        self.queue.createArtifact(
            *held.run, "private/a", {**reference, "expires": self.queue.task(held.task_id)["expires"]}
        )
        target = f"{held.path}/artifacts/private/a"
        self.assertRefused(self.deployment.send("GET", target), "InsufficientScopes")
        url = self.queue.buildSignedUrl("getArtifact", *held.run, "private/a")
        answer = self.deployment.send("GET", url[len(self.deployment.root_url) :])
        self.assertEqual((answer.status, answer.headers["location"]), (303, "https://example.com/"))


class AuthenticateHawk(SigningTestCase):
    def ask(self, target: str, authorization: str | None = None, method: str = "get") -> Any:
        address = urlsplit(self.deployment.root_url)
        port = address.port or (443 if address.scheme == "https" else 80)
        asked = {"method": method, "resource": target, "host": address.hostname, "port": port}
        if authorization is not None:
            asked["authorization"] = authorization
        return self.deployment.services(None).auth.authenticateHawk(asked)

    def test_a_good_signature(self) -> None:
        for credentials in (self.deployment.root, self.deployment.issue("conformance:a")):
            told = self.ask("/whatever?a=b", self.deployment.sign("GET", "/whatever?a=b", b"", credentials))
            self.assertEqual(set(told), {"status", "scheme", "scopes", "clientId", "expires", "hash"})
            self.assertEqual(
                (told["status"], told["scheme"], told["clientId"]), ("auth-success", "hawk", credentials.client_id)
            )
        self.assertIn("conformance:a", told["scopes"])
        told = self.ask("/whatever", self.deployment.sign("GET", "/whatever"))
        self.assertNotIn("hash", told)

    def test_a_bad_one_is_an_answer_too(self) -> None:
        told = self.ask("/other", self.deployment.sign("GET", "/whatever"))
        self.assertEqual((told["status"], set(told)), ("auth-failed", {"status", "message"}))

    def test_none(self) -> None:
        told = self.ask("/whatever")
        self.assertEqual((told["status"], told["scheme"]), ("no-auth", "none"))
        self.assertIn("assume:anonymous", told["scopes"])

    def test_a_bewit(self) -> None:
        target = Bewits.signed(self, self.deployment.root)  # type: ignore[arg-type]  # it needs only the deployment
        self.assertEqual(self.ask(target)["status"], "auth-success")
