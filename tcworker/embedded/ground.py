"""What every service inside stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded.api import Api
from tcworker.embedded.database import Database
from tcworker.embedded.heartbeat import Heartbeat
from tcworker.embedded.outbox import Outbox
from tcworker.embedded.storage import Addresses
from tcworker.embedded.times import Times
from tcworker.interfaces import Credentials
from tcworker.waiting import Executor

Issue = Callable[[str, Sequence[str], int, int], Credentials]
"""Makes named temporary credentials: client id, scopes, and from when to when they are good, in milliseconds."""


@dataclass(frozen=True)
class Ground:
    """One for all services of a server.

    @ivar addresses: makes signed addresses of what is stored.
    @ivar outbox: where a service tells what happened.
    @ivar server: the credentials of the server's own client, which may do everything.
    @ivar issue: by that client.
    @ivar threads: for work on files.
    """

    clock: IReactorTime
    times: Times
    database: Database
    heartbeat: Heartbeat
    addresses: Addresses
    outbox: Outbox
    server: Credentials
    issue: Issue
    threads: Executor


class ApiService:
    """A service: its calls, and what it does by itself between L{start} and L{stop}.

    @ivar api: its calls.
    """

    api: Api

    async def start(self) -> None:
        """Begin, before the first call comes."""

    async def stop(self) -> None:
        """Answer those who wait, and do nothing by itself any more."""
