"""Every change that the worker-manager makes: a transaction, and after it the messages that tell of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

from tcworker.embedded import dates
from tcworker.embedded.ground import Ground
from tcworker.embedded.outbox import Message

T = TypeVar("T")
P = ParamSpec("P")


class Changes:
    """Runs jobs on the worker-manager's tables."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    @property
    def now(self) -> int:
        """In milliseconds."""
        return dates.now(self._ground.clock)

    async def make(
        self,
        job: Callable[Concatenate[sqlite3.Connection, P], tuple[T, Iterable[Message]]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a job that changes something and gives what came of it and what to tell of it."""
        result, messages = await self._ground.database.run(job, *args, **kwargs)
        self._ground.outbox.send(messages)
        return result

    async def look(self, job: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a job that changes nothing."""
        return await self._ground.database.read(job, *args, **kwargs)
