"""Lists of clients and roles in pages that begin at so many items (contracts of the queue, 0.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tcworker.embedded.paging import page_by_number, token_of
from tcworker.interfaces import JSON

T = TypeVar("T")


def page_of_clients(clients: Sequence[T], query: Mapping[str, str]) -> tuple[Sequence[T], JSON]:
    """Give a page, and what the answer has beside it. Raises L{ApiError} for a token that is none."""
    limit, begin = page_by_number(query)
    return _cut(clients, begin, limit)


def page_of_roles(roles: Sequence[T], query: Mapping[str, str]) -> tuple[Sequence[T], JSON]:
    """Do the same for roles: all of them without a limit, and as many as are wanted with one."""
    limit, begin = page_by_number(query)
    return _cut(roles, begin, limit) if query.get("limit", "").strip("0") else (roles, {})


def _cut(items: Sequence[T], begin: int, limit: int) -> tuple[Sequence[T], JSON]:
    end = begin + limit
    return items[begin:end], {"continuationToken": token_of(str(end))} if end < len(items) else {}
