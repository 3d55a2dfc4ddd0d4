"""Deletes what has expired, some time after it has."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tcworker.embedded import dates
from tcworker.embedded.ground import Ground
from tcworker.waiting import Loose

ROWS_AT_ONCE = 200

Job = Callable[[sqlite3.Connection, int, int], int]
"""Deletes what expired before a date, so many at the most; gives how many."""


def deletion(table: str, key: str, longer: int = 0) -> Job:
    """Make the job for a table with a column C{expires}.

    @param key: its primary key, columns with commas between.
    @param longer: for how many milliseconds a row stays after its end.
    """
    statement = f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE expires < ? LIMIT ?)"

    def delete(connection: sqlite3.Connection, before: int, most: int) -> int:
        return connection.execute(statement, (before - longer, most)).rowcount

    return delete


class Expiry:
    """Looks every now and then: see C{expiry} of L{tcworker.embedded.times.Times}.

    @param tidy: what else is to be done each time, after the jobs.
    """

    def __init__(self, ground: Ground, jobs: Sequence[Job], tidy: Sequence[Callable[[], Awaitable[None]]]) -> None:
        self._clock = ground.clock
        self._interval = ground.times.expiry
        self._database = ground.database
        self._contents = ground.contents
        self._jobs = jobs
        self._tidy = tidy
        self._looking = Loose(Logger())
        self._loop = LoopingCall(self._look)
        self._loop.clock = ground.clock
        self._stopped = False

    def start(self) -> None:
        """Look now, and from now on."""
        self._looking.run(self._contents.tidy(), "removing what an earlier process left")
        self._looking.run(self._loop.start(self._interval), "looking for what has expired")

    async def stop(self) -> None:
        """Finish the piece under way."""
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        await self._looking.wait()

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._delete())

    async def _delete(self) -> None:
        try:
            before = dates.after(dates.now(self._clock), -self._interval)
            for job in self._jobs:
                # In pieces, so that calls of the services come in between.
                while not self._stopped and await self._database.run(job, before, ROWS_AT_ONCE) == ROWS_AT_ONCE:
                    pass
            for forget in (*self._tidy, self._contents.clear):
                await forget()
        except Exception:
            Logger().failure("What has expired could not be deleted; the next try is in {s} s", s=self._interval)
