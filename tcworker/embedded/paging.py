"""Answers in pages (contracts of the queue, 0.6)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

MOST = 1000

PAGED: Mapping[str, str] = {"limit": "[0-9]+", "continuationToken": ".+"}
"""The query keys of a route whose answer comes in pages."""


def page_of(query: Mapping[str, str]) -> tuple[int, str]:
    """Give how many are wanted, and the key after which to go on; a token that is none starts from the beginning."""
    limit = min(int(query.get("limit", MOST)), MOST) or MOST
    try:
        return limit, urlsafe_b64decode(query.get("continuationToken", "")).decode()
    except ValueError:
        return limit, ""


def token_of(key: str) -> str:
    """Give the token by which to go on after a key."""
    return urlsafe_b64encode(key.encode()).decode()
