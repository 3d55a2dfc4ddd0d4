"""What tests of signatures share: C{test-authenticate}, which says what the service saw of a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from taskcluster.client import createTemporaryCredentials

from tests.conformance.callers import Answer, Credentials
from tests.conformance.case import ConformanceTestCase

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
