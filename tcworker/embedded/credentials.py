"""Temporary credentials that a service gives to somebody."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tcworker.interfaces import JSON, Credentials

Issue = Callable[[str, Sequence[str], int, int], Credentials]
"""Makes named temporary credentials: client id, scopes, and from when to when they are good, in milliseconds."""


def show_credentials(credentials: Credentials) -> JSON:
    """Give them as answers have them."""
    return {
        "clientId": credentials.client_id,
        "accessToken": credentials.access_token,
        "certificate": credentials.certificate,
    }
