"""What every service inside stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded.api import Api
from tcworker.embedded.contents import Contents
from tcworker.embedded.database import Database
from tcworker.embedded.heartbeat import Heartbeat
from tcworker.embedded.outbox import Outbox
from tcworker.embedded.storage import Addresses
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON, Credentials
from tcworker.waiting import Executor

Issue = Callable[[str, Sequence[str], int, int], Credentials]
"""Makes named temporary credentials: client id, scopes, and from when to when they are good, in milliseconds."""


def show_credentials(credentials: Credentials) -> JSON:
    """Give temporary credentials as answers have them."""
    return {
        "clientId": credentials.client_id,
        "accessToken": credentials.access_token,
        "certificate": credentials.certificate,
    }


@dataclass(frozen=True)
class Ground:
    """One for all services of a server.

    @ivar contents: of artifacts and objects.
    @ivar addresses: makes signed addresses of contents.
    @ivar outbox: where a service tells what happened.
    @ivar server: the credentials of the server's own client, which may do everything.
    @ivar issue: by that client.
    @ivar threads: for work on files.
    """

    clock: IReactorTime
    times: Times
    database: Database
    heartbeat: Heartbeat
    contents: Contents
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
