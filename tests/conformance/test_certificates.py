"""Temporary credentials, by the C{taskcluster} package (contracts of the queue, 3.3)."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.conformance.callers import Credentials
from tests.conformance.case import QUEUE, new_id, random_name
from tests.conformance.signing_case import SigningTestCase


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
