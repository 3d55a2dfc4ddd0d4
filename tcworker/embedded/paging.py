"""Answers in pages (contracts of the queue, 0.6)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence

from tcworker.embedded.faults import ApiError
from tcworker.embedded.numbers import up_to
from tcworker.interfaces import JSON

MOST_ON_A_PAGE = 1000

_NUMBER = re.compile("[0-9]{1,15}")

PAGED: Mapping[str, str] = {"limit": "[0-9]+", "continuationToken": ".+"}
"""The query keys of a route whose answer comes in pages."""


def page_of(query: Mapping[str, str]) -> tuple[int, str]:
    """Give how many are wanted, and the key after which to go on; a token that is none starts from the beginning."""
    limit = up_to(MOST_ON_A_PAGE, query.get("limit", "")) or MOST_ON_A_PAGE
    try:
        return limit, urlsafe_b64decode(query.get("continuationToken", "")).decode()
    except ValueError:
        return limit, ""


def page_by_number(query: Mapping[str, str], start: int = 0) -> tuple[int, int]:
    """Give how many are wanted, and the number after which to go on. Raises L{ApiError} for a token that is none.

    @param start: the number when there is no token.
    """
    limit, after = page_of(query)
    if "continuationToken" not in query:
        return limit, start
    if not _NUMBER.fullmatch(after):
        raise ApiError("InvalidRequestArguments", "continuationToken must be that of an answer to the same call.")
    return limit, int(after)


def token_of(key: str) -> str:
    """Give the token by which to go on after a key."""
    return urlsafe_b64encode(key.encode()).decode()


def one_page(name: str, items: Sequence[tuple[str, JSON]], limit: int) -> JSON:
    """Give an answer with so many items at the most, and the token that leads to those after them.

    @param name: of the items in the answer.
    @param items: each with its key; one more than wanted if there are more.
    """
    answer = {name: [item for _, item in items[:limit]]}
    return {**answer, "continuationToken": token_of(items[limit - 1][0])} if len(items) > limit else answer
