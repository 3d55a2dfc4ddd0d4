"""Calls of the auth service, signed by mohawk."""

from __future__ import annotations

from typing import Any

from tcworker.embedded.auth.certificates import issue
from tcworker.interfaces import Credentials
from tests.embedded.wire import START, Answer, WireTestCase, encode

AUTH = "/api/auth/v1"
CURRENT = f"{AUTH}/scopes/current"
MINUTE = 60_000
NOW = START * 1000


class AuthTestCase(WireTestCase):
    """Has short forms for what is done to clients and roles."""

    def client(self, *scopes: str, name: str = "me", **more: Any) -> Credentials:
        """Create a client."""
        body = {"expires": self.date(hours=10), "description": "d", "scopes": scopes, **more}
        return Credentials(name, self.ask("auth", "PUT", f"/clients/{name}", body)["accessToken"])

    def role(self, name: str, *scopes: str) -> Any:
        """Create a role."""
        return self.ask("auth", "PUT", f"/roles/{name}", {"scopes": scopes, "description": "d"})

    def current(self, credentials: Credentials | None, ext: str | None = None) -> Answer:
        return self.begin("GET", CURRENT, None, credentials, ext).answer()

    def accepted(self, credentials: Credentials | None, ext: str | None = None) -> list[str]:
        """Give the scopes that somebody has."""
        answer = self.current(credentials, ext)
        self.assertEqual(answer.status, 200, answer.content)
        return list(answer.json["scopes"])

    def refused_with(self, credentials: Credentials, why: str, ext: str | None = None) -> None:
        answer = self.current(credentials, ext)
        self.assertRefused(answer, 401, "AuthenticationFailed")
        self.assertIn(why, answer.json["message"])

    def temporary(
        self,
        *scopes: str,
        start: int = NOW,
        expiry: int = NOW + MINUTE,
        name: str = "me",
        issuer: Credentials | None = None,
    ) -> Credentials:
        return issue(issuer or self.root, name, scopes, start, expiry)


__all__ = ["AUTH", "CURRENT", "MINUTE", "NOW", "START", "AuthTestCase", "encode"]
