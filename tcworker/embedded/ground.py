"""What every service inside stands on."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded.addresses import Addresses
from tcworker.embedded.contents import Contents
from tcworker.embedded.credentials import Issue
from tcworker.embedded.database import Database
from tcworker.embedded.heartbeat import Heartbeat
from tcworker.embedded.outbox import Outbox
from tcworker.embedded.times import Times
from tcworker.interfaces import Credentials
from tcworker.waiting import Executor


@dataclass(frozen=True)
class Ground:
    """One for all services of a server.

    @ivar contents: of artifacts and objects.
    @ivar addresses: makes signed addresses of contents.
    @ivar outbox: where a service tells what happened.
    @ivar server_credentials: the credentials of the server's own client, which may do everything.
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
    server_credentials: Credentials
    issue: Issue
    threads: Executor
