"""What is remembered of caches in the worker's state, over its death."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tcworker.cache.rows import EXCLUSIVE, SHARED, Row
from tcworker.waiting import Executor

_COLUMNS = "id, kind, platform, name, details, facts, created, used, seconds, size, run, purged"
_UNREADABLE = "a cache in the worker's state cannot be read ({problem}), and is made anew when a task needs it"

_NO_TIME_AFTER = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Dates end there, and spans of time in seconds are less than this, too."""

_log = Logger()


def boot_id() -> str:
    """Give what names this boot of the machine. For threads."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class CacheTable(Protocol):
    """Remembers rows; calls take effect in the order in which they are made."""

    def keep(self, row: Row, /) -> Deferred[None]:
        """Remember one, in the place of what was known of it."""

    def forget(self, ids: Sequence[int], /) -> Deferred[None]:
        """Forget some, all with one change."""

    def rows(self) -> Deferred[list[Row]]:
        """All that are remembered, in the order of their ids."""

    def begin(self) -> Deferred[bool]:
        """A worker begins; fires with whether the machine went down under the last one."""

    def end(self) -> Deferred[None]:
        """It ends in order."""


class State(Protocol):
    """Where tables are: L{tcworker.state.StateStore}."""

    def write(self, statement: str, *values: str | float | None) -> Deferred[None]: ...

    def read(self, question: str) -> Deferred[list[tuple[Any, ...]]]: ...


class StateTable:
    """The table C{caches} of the state.

    @param boot: gives an id of the machine's boot, empty where it has none.
    """

    def __init__(self, state: State, threads: Executor, boot: Callable[[], str] = boot_id) -> None:
        self._state = state
        self._threads = threads
        self._boot = boot

    def keep(self, row: Row) -> Deferred[None]:
        """See L{CacheTable.keep}."""
        return self._state.write(
            f"INSERT OR REPLACE INTO caches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row.id,
            row.kind,
            row.platform,
            row.name,
            json.dumps(dict(row.details)),
            json.dumps(row.facts),
            row.created,
            row.used,
            row.seconds,
            row.size,
            row.run,
            int(row.purged),
        )

    def forget(self, ids: Sequence[int]) -> Deferred[None]:
        """See L{CacheTable.forget}."""
        return self._state.write("DELETE FROM caches WHERE id IN (SELECT value FROM json_each(?))", json.dumps(ids))

    def rows(self) -> Deferred[list[Row]]:
        """See L{CacheTable.rows}; those that cannot be read are logged. Fails with L{StateUnusable}."""
        return Deferred.fromCoroutine(self._rows())

    def begin(self) -> Deferred[bool]:
        """See L{CacheTable.begin}. Fails with L{StateUnusable}."""
        return Deferred.fromCoroutine(self._begin())

    def end(self) -> Deferred[None]:
        """See L{CacheTable.end}."""
        return self._state.write("DELETE FROM boots")

    async def _begin(self) -> bool:
        boot = await self._threads.run(self._boot)
        left = await self._state.read("SELECT id FROM boots")
        await self.end()
        await self._state.write("INSERT INTO boots VALUES (?)", boot)
        # Where boots have no names nobody can tell, and a worker that was killed is no machine that went down.
        return bool(left and boot) and left[0][0] != boot

    async def _rows(self) -> list[Row]:
        found = await self._state.read(f"SELECT {_COLUMNS} FROM caches ORDER BY id")
        # There may be very many.
        return await self._threads.run(_read_all, found)


def _read_all(found: Sequence[tuple[Any, ...]]) -> list[Row]:
    return [row for columns in found if (row := _try_to_read(columns)) is not None]


def _try_to_read(columns: tuple[Any, ...]) -> Row | None:
    try:
        return _read(*columns)
    except Exception as error:  # whatever comes of a row that somebody or something has changed
        _log.warn(_UNREADABLE, problem=f"{type(error).__name__}: {error}")
        return None


def _read(
    id: int,
    kind: str,
    platform: str,
    name: str,
    details: str,
    facts: str,
    created: float,
    used: float,
    seconds: float,
    size: int,
    run: str | None,
    purged: int,
) -> Row:
    # SQLite puts anything into any column.
    texts = (name, platform, run or "")
    if not all(isinstance(text, str) for text in texts) or kind not in (EXCLUSIVE, SHARED):
        raise TypeError("it is none of ours")
    # Whoever weighs or dates it later would fail, and all others with it.
    if not all(0 <= each < _NO_TIME_AFTER for each in (created, used, seconds)):
        raise ValueError("found no time")
    if not isinstance(size, int) or size < 0:
        raise ValueError("found no size")
    known = dict(json.loads(details))
    times = float(created), float(used)
    return Row(
        id,
        EXCLUSIVE if kind == EXCLUSIVE else SHARED,
        platform,
        name,
        *times,
        known,
        size,
        float(seconds),
        run,
        purged=bool(purged),
        facts=json.loads(facts),
    )
