"""Lists of clients and roles in pages that begin at so many items (contracts of the queue, 0.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tcworker.embedded.faults import bad_input
from tcworker.embedded.paging import page_of, token_of
from tcworker.interfaces import JSON

T = TypeVar("T")


def page_of_clients(clients: Sequence[T], query: Mapping[str, str]) -> tuple[Sequence[T], JSON]:
    """Give a page, and what the answer has beside it. Raises L{ApiError} for a token that is none."""
    limit, _ = page_of(query)
    return _cut(clients, _begin(query), limit)


def page_of_roles(roles: Sequence[T], query: Mapping[str, str]) -> tuple[Sequence[T], JSON]:
    """Do the same for roles: all of them without a limit, and as many as are wanted with one."""
    limit, begin = int(query.get("limit", 0)), _begin(query)
    return _cut(roles, begin, limit) if limit else (roles, {})


def _begin(query: Mapping[str, str]) -> int:
    if "continuationToken" not in query:
        return 0
    # The key of these pages is a number.
    _, begin = page_of(query)
    if not (begin.isascii() and begin.isdigit() and len(begin) < 10):
        raise bad_input("The continuationToken is none.")
    return int(begin)


def _cut(items: Sequence[T], begin: int, limit: int) -> tuple[Sequence[T], JSON]:
    end = begin + limit
    return items[begin:end], {"continuationToken": token_of(str(end))} if end < len(items) else {}
