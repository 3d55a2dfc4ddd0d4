"""Calls about roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tcworker.client.scopes import in_order, satisfies
from tcworker.embedded.auth.offset_paging import page_of_roles
from tcworker.embedded.auth.registry import Registry
from tcworker.embedded.auth.roles import Role, Roles
from tcworker.embedded.auth.schemas import DESCRIPTION, SCOPES, ScopeChecker, check_scopes, require_to_give
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.faults import conflict, not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.outbox import Message
from tcworker.embedded.paging import PAGED
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import closed
from tcworker.interfaces import JSON

ROLE = closed({"scopes": SCOPES, "description": DESCRIPTION}, required=["scopes", "description"])


class RoleCalls:
    """Answers the calls about roles: listing, reading, making and changing them."""

    def __init__(self, ground: Ground, registry: Registry) -> None:
        self._ground = ground
        self._registry = registry

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        one, checker = "/roles/<roleId>", ScopeChecker(ROLE)
        return [
            Route("listRoles", "GET", "/roles", self._list_all, "auth:list-roles"),
            Route("listRoles2", "GET", "/roles2", self._list, "auth:list-roles", query=PAGED),
            Route("listRoleIds", "GET", "/roleids", self._list_ids, "auth:list-roles", query=PAGED),
            Route("role", "GET", one, self._get, "auth:get-role:<roleId>"),
            Route("createRole", "PUT", one, self._create, body=checker),
            Route("updateRole", "POST", one, self._update, body=checker),
            Route("deleteRole", "DELETE", one, self._delete, "auth:delete-role:<roleId>"),
        ]

    async def _list_all(self, call: Call) -> JSON:
        return await self._bodies(list(self._registry.roles.by_id.values()))

    async def _list(self, call: Call) -> JSON:
        page, more = page_of_roles(list(self._registry.roles.by_id.values()), call.query)
        return {"roles": await self._bodies(page), **more}

    async def _list_ids(self, call: Call) -> JSON:
        page, more = page_of_roles(list(self._registry.roles.by_id), call.query)
        return {"roleIds": page, **more}

    async def _bodies(self, page: Sequence[Role]) -> JSON:
        # With all their scopes these may be large.
        return await self._ground.threads.run(_bodies, self._registry.roles, page)

    async def _get(self, call: Call) -> JSON:
        return self._body(self._existing(call.params["roleId"]))

    async def _create(self, call: Call) -> JSON:
        role_id, scopes = call.params["roleId"], check_scopes(call.body["scopes"])
        require_to_give(call, f"auth:create-role:{role_id}", scopes)
        now = self._registry.now()
        role = Role(role_id, tuple(in_order(scopes)), call.body["description"], now, now)
        return await self._registry.change(lambda: self._add(role))

    async def _add(self, role: Role) -> JSON:
        known = self._registry.roles.by_id.get(role.role_id)
        if known is None:
            await self._keep(role, "role-created")
            return self._body(role)
        if (known.scopes, known.description) != (role.scopes, role.description):
            raise conflict(f"There is a role {role.role_id} already, with other scopes or another description.")
        return self._body(known)

    async def _update(self, call: Call) -> JSON:
        scopes = check_scopes(call.body["scopes"])

        async def change() -> JSON:
            role = self._existing(call.params["roleId"])
            had = self._registry.roles.expand(role.scopes)
            require_to_give(
                call, f"auth:update-role:{role.role_id}", [scope for scope in scopes if not satisfies(had, scope)]
            )
            changed = replace(
                role,
                scopes=tuple(scopes),
                description=call.body["description"],
                last_modified=self._registry.now(),
            )
            await self._keep(changed, "role-updated")
            return self._body(changed)

        return await self._registry.change(change)

    async def _delete(self, call: Call) -> JSON:
        role_id = call.params["roleId"]
        await self._registry.change(partial(self._registry.remove_role, role_id))
        self._tell("role-deleted", role_id)
        return Reply(204)

    async def _keep(self, role: Role, exchange: str) -> None:
        await self._registry.put_role(role)
        self._tell(exchange, role.role_id)

    def _tell(self, exchange: str, role_id: str) -> None:
        self._ground.outbox.send([Message("auth", exchange, "", {"version": 1, "roleId": role_id})])

    def _existing(self, role_id: str) -> Role:
        role = self._registry.roles.by_id.get(role_id)
        if role is None:
            raise not_found(f"There is no role {role_id}.")
        return role

    def _body(self, role: Role) -> JSON:
        return self._registry.roles.body(role)


def _bodies(roles: Roles, page: Sequence[Role]) -> JSON:
    return [roles.body(role) for role in page]
