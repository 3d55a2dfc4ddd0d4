"""Calls about clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from tcworker.embedded import dates
from tcworker.embedded.auth.clients import CLIENT_ID, STATIC, Client, new_token
from tcworker.embedded.auth.offset_paging import page_of_clients
from tcworker.embedded.auth.registry import Registry
from tcworker.embedded.auth.schemas import DESCRIPTION, SCOPES, ScopeChecker, check_scopes, require_to_give
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.faults import bad_input, conflict, not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.outbox import Message
from tcworker.embedded.paging import PAGED
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import DATE, closed
from tcworker.interfaces import JSON

CLIENT = closed(
    {
        "expires": DATE,
        "deleteOnExpiration": {"type": "boolean", "default": False},
        "description": DESCRIPTION,
        "scopes": SCOPES,
    },
    required=["expires", "description"],
)


class ClientCalls:
    """Answers the calls about clients: listing, reading, making and changing them, and their access tokens."""

    def __init__(self, ground: Ground, registry: Registry) -> None:
        self._ground = ground
        self._registry = registry

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        one, checker = "/clients/<clientId>", ScopeChecker(CLIENT)
        listed = {"prefix": CLIENT_ID, **PAGED}
        return [
            Route("listClients", "GET", "/clients", self._list, "auth:list-clients", query=listed),
            Route("client", "GET", one, self._get, "auth:get-client:<clientId>"),
            Route("createClient", "PUT", one, self._create, body=checker),
            Route("updateClient", "POST", one, self._update, body=checker),
            Route("deleteClient", "DELETE", one, self._delete, "auth:delete-client:<clientId>"),
            self._changing("resetAccessToken", "reset", "auth:reset-access-token:<clientId>", self._reset),
            self._changing("enableClient", "enable", "auth:enable-client:<clientId>", self._enable),
            self._changing("disableClient", "disable", "auth:disable-client:<clientId>", self._disable),
        ]

    def _changing(self, name: str, verb: str, scope: str, change: Callable[[Client], Awaitable[JSON]]) -> Route:
        """Give the route of a call that changes one client, and has no body."""

        async def handle(call: Call) -> JSON:
            client_id = self._changeable(call)
            return await self._registry.change(lambda: change(self._existing(client_id)))

        return Route(name, "POST", f"/clients/<clientId>/{verb}", handle, scope)

    async def _list(self, call: Call) -> JSON:
        prefix = call.query.get("prefix", "")
        page, more = page_of_clients(
            [client for client in self._registry.clients if client.client_id.startswith(prefix)], call.query
        )
        # With all their scopes these may be large.
        return {"clients": await self._ground.threads.run(self._bodies, page), **more}

    def _bodies(self, clients: Sequence[Client]) -> JSON:
        return [self._body(client) for client in clients]

    def _body(self, client: Client) -> JSON:
        return client.body(self._registry.roles.expand(client.scopes))

    async def _get(self, call: Call) -> JSON:
        return self._body(self._existing(call.params["clientId"]))

    async def _create(self, call: Call) -> JSON:
        client_id = self._changeable(call)
        scopes = check_scopes(call.body.get("scopes", []))
        require_to_give(call, f"auth:create-client:{client_id}", scopes)
        now = self._registry.now()
        client = Client(
            client_id=client_id,
            access_token=new_token(),
            scopes=tuple(scopes),
            description=call.body["description"],
            expires=dates.read(call.body["expires"]),
            created=now,
            last_modified=now,
            last_used=now,
            last_rotated=now,
            delete_on_expiration=call.body["deleteOnExpiration"],
        )
        return await self._registry.change(lambda: self._add(client))

    async def _add(self, client: Client) -> JSON:
        if self._registry.find(client.client_id) is not None:
            raise conflict(f"There is a client {client.client_id} already.")
        await self._registry.put_client(client)
        self._tell("client-created", client.client_id)
        return self._with_token(client)

    async def _update(self, call: Call) -> JSON:
        client_id = self._changeable(call)
        scopes = call.body.get("scopes")
        check_scopes(scopes or [])

        async def change() -> JSON:
            client = self._existing(client_id)
            had = set(client.scopes)
            require_to_give(
                call, f"auth:update-client:{client_id}", [scope for scope in scopes or [] if scope not in had]
            )
            changed = await self._change(
                client,
                scopes=client.scopes if scopes is None else tuple(scopes),
                description=call.body["description"],
                expires=dates.read(call.body["expires"]),
                delete_on_expiration=call.body["deleteOnExpiration"],
            )
            return self._body(changed)

        return await self._registry.change(change)

    async def _delete(self, call: Call) -> JSON:
        client_id = self._changeable(call)
        await self._registry.change(lambda: self._registry.remove_client(client_id))
        self._tell("client-deleted", client_id)
        return Reply(204)

    async def _reset(self, client: Client) -> JSON:
        changed = await self._change(client, access_token=new_token(), last_rotated=self._registry.now())
        return self._with_token(changed)

    async def _enable(self, client: Client) -> JSON:
        return self._body(await self._change(client, disabled=False))

    async def _disable(self, client: Client) -> JSON:
        return self._body(await self._change(client, disabled=True))

    async def _change(self, client: Client, **changes: Any) -> Client:
        changed = replace(client, last_modified=self._registry.now(), **changes)
        await self._registry.put_client(changed)
        self._tell("client-updated", client.client_id)
        return changed

    def _existing(self, client_id: str) -> Client:
        client = self._registry.find(client_id)
        if client is None:
            raise not_found(f"There is no client {client_id}.")
        return client

    def _with_token(self, client: Client) -> JSON:
        # Nothing that is answered here is kept on its way: every answer says no-store.
        return {**self._body(client), "accessToken": client.access_token}

    def _tell(self, exchange: str, client_id: str) -> None:
        self._ground.outbox.send([Message("auth", exchange, "", {"version": 1, "clientId": client_id})])

    def _changeable(self, call: Call) -> str:
        client_id = call.params["clientId"]
        known = self._registry.find(client_id)
        if client_id.startswith(STATIC) or (known is not None and known.static):
            raise bad_input(f"Client {client_id} is static: it can be changed only where the server is started.")
        return client_id
