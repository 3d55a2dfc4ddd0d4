"""All clients and roles: what whoever checks a signature looks at, and the one place that changes them.

They are in memory, so that a signature is checked without waiting, and in the database. A change is first in the
database, then in memory, then answered; from then on it holds for every call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.client.scopes import ScopeSet
from tcworker.embedded import dates
from tcworker.embedded.auth import store
from tcworker.embedded.auth.anonymous import ASSUME_ANONYMOUS
from tcworker.embedded.auth.clients import Client, StaticClient
from tcworker.embedded.auth.roles import Role, Roles
from tcworker.embedded.auth.signatures import Refused
from tcworker.embedded.database import Database
from tcworker.waiting import Loose, OneShot

T = TypeVar("T")

USED = 6 * 60 * dates.MINUTE
"""That a client is used is put down so often."""


class Registry:
    """Clients and roles, once they are loaded.

    @ivar roles: as they are now.
    """

    def __init__(self, clock: IReactorTime, database: Database) -> None:
        self._clock = clock
        self._database = database
        self._clients: dict[str, Client] = {}
        self._held: dict[str, ScopeSet] = {}
        self.roles = Roles([])
        self._changing = DeferredLock()
        self._log = Logger()
        self._changes = Loose(self._log)

    async def load(self, static: Sequence[StaticClient]) -> None:
        """Read them, with these static clients and no others."""
        clients, roles = await self._database.run(store.load, static, self.now())
        self._clients = {client.client_id: client for client in clients}
        self.roles = Roles(roles)

    async def stop(self) -> None:
        """Wait until every change is kept."""
        await self._changes.wait()

    def now(self) -> int:
        """What time it is."""
        return dates.now(self._clock)

    @property
    def clients(self) -> Sequence[Client]:
        """In the order of their ids."""
        return [self._clients[client_id] for client_id in sorted(self._clients)]

    def find(self, client_id: str) -> Client | None:
        """Give a client, whether it can be used or not."""
        return self._clients.get(client_id)

    def client(self, client_id: str) -> Client:
        """Give a client who may sign. Raises L{Refused}."""
        client = self._clients.get(client_id)
        if client is None:
            raise Refused(f"there is no client {client_id}")
        if client.disabled:
            raise Refused(f"client {client_id} is disabled")
        if client.expires < self.now():
            raise Refused(f"client {client_id} has expired")
        return client

    def scopes_of(self, client: Client) -> ScopeSet:
        """Give what a client has by its own scopes and their roles."""
        # Its roles may bring thousands, and it is asked for at every call: expanded once, until a role changes.
        held = self._held.get(client.client_id)
        if held is None:
            held = self._held[client.client_id] = self.roles.expand_again(client.scopes)
        return held

    def expand(self, scopes: Sequence[str]) -> ScopeSet:
        """Give what somebody has with these scopes."""
        return self.roles.expand_again(scopes)

    def used(self, client: Client) -> None:
        """Put down that a client is used, without waiting for it."""
        now = self.now()
        if now - client.last_used > USED:
            self._clients[client.client_id] = replace(client, last_used=now)
            self._changes.run(
                self._database.run(store.put_last_used, client.client_id, now), "putting down that a client is used"
            )

    async def change(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what looks at clients or roles and then changes them, while nobody else does.

        What has begun comes to its end, even if nobody waits for it any more: memory is what the database is.
        """
        ended: OneShot[T] = OneShot()
        self._changes.run(self._change(work, ended), "changing clients and roles")
        return await ended.wait()

    async def _change(self, work: Callable[[], Awaitable[T]], ended: OneShot[T]) -> None:
        # Each change begins from what the one before has left: two could otherwise undo each other's.
        async with self._changing:
            try:
                ended.succeed(await work())
            except Exception:
                ended.fail(Failure())

    async def put_client(self, client: Client) -> None:
        """Keep a client, new or changed; within L{change}. Raises L{ApiError} if their roles bring too many scopes."""
        # Too many are refused now, while whoever gives them is there, and not when the client signs.
        self.roles.expand(client.scopes)
        await self._database.run(store.put_client, client)
        self._clients[client.client_id] = client
        self._held.pop(client.client_id, None)

    async def remove_client(self, client_id: str) -> None:
        """Forget a client; within L{change}."""
        await self._database.run(store.remove_client, client_id)
        self._clients.pop(client_id, None)
        self._held.pop(client_id, None)

    async def put_role(self, role: Role) -> None:
        """Keep a role, new or changed; within L{change}. Raises L{ApiError} for one that cannot be."""
        roles = Roles([*(one for one in self.roles.by_id.values() if one.role_id != role.role_id), role])
        roles.check(role)
        # Every call is made with those of everybody: if these were too many, no call could be made.
        roles.expand([ASSUME_ANONYMOUS])
        await self._database.run(store.put_role, role)
        self._use(roles)

    async def remove_role(self, role_id: str) -> None:
        """Forget a role; within L{change}."""
        await self._database.run(store.remove_role, role_id)
        self._use(Roles(role for role in self.roles.by_id.values() if role.role_id != role_id))

    def _use(self, roles: Roles) -> None:
        # A role reaches clients through other roles too: whom it concerns is found out when they call.
        self.roles = roles
        self._held.clear()

    async def forget_expired(self) -> None:
        """Forget the clients who have expired, if they are to go away then."""
        now = self.now()
        for client in self.clients:
            if client.delete_on_expiration and client.expires < now:
                try:
                    await self.change(partial(self.remove_client, client.client_id))
                except Exception:
                    # The next time there is another try.
                    self._log.failure("client {client_id}, who has expired, is still there", client_id=client.client_id)
