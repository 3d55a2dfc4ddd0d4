"""Remembers in the worker's state when it last asked what to purge."""

from __future__ import annotations

from tcworker.cache.table import State


class StateLastLook:
    """See L{tcworker.cache.purge_requests.LastLook}.

    @param state: has the table C{moments}.
    """

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
