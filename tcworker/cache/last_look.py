"""Remembers in the worker's state when it last asked what to purge."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred


class State(Protocol):
    """Where the table C{moments} is: L{tcworker.state.StateStore}."""

    def write(self, statement: str, *values: str | float | None) -> Deferred[None]: ...

    def read(self, question: str) -> Deferred[list[tuple[Any, ...]]]: ...


class StateLastLook:
    """See L{tcworker.cache.purge_requests.LastLook}."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def read(self) -> float | None:
        """Give it; C{None} if it never asked. Raises L{StateUnusable}."""
        rows = await self._state.read("SELECT seconds FROM moments WHERE name = 'purge requests'")
        # SQLite puts anything into any column.
        return next((seconds for (seconds,) in rows if isinstance(seconds, float)), None)

    async def remember(self, seconds: float) -> None:
        """Keep it."""
        await self._state.write("INSERT OR REPLACE INTO moments VALUES ('purge requests', ?)", seconds)
