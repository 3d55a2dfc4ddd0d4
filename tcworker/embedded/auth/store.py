"""Clients and roles in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from sqlite3 import Connection, Row

from tcworker.embedded import rows
from tcworker.embedded.auth.anonymous import ANONYMOUS, ANONYMOUS_SCOPES
from tcworker.embedded.auth.clients import Client, StaticClient
from tcworker.embedded.auth.roles import Role

SCHEMA = """
CREATE TABLE IF NOT EXISTS auth_clients (
    client_id TEXT PRIMARY KEY,
    access_token TEXT NOT NULL,
    scopes TEXT NOT NULL,
    description TEXT NOT NULL,
    expires INTEGER NOT NULL,
    created INTEGER NOT NULL,
    last_modified INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    last_rotated INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    delete_on_expiration INTEGER NOT NULL,
    static INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS auth_roles (
    role_id TEXT PRIMARY KEY,
    scopes TEXT NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_modified INTEGER NOT NULL
) WITHOUT ROWID;
"""


def load(connection: Connection, static: Sequence[StaticClient], now: int) -> tuple[Sequence[Client], Sequence[Role]]:
    """A job that gives all clients and roles, after the static clients were made what they are to be now."""
    kept = {row["client_id"]: _client(row) for row in connection.execute("SELECT * FROM auth_clients")}
    # There is always a static client, except in a database that is new.
    if not kept:
        description = "Everybody has this role, with credentials or without."
        put_role(connection, Role(ANONYMOUS, ANONYMOUS_SCOPES, description, now, now))
    wanted = {one.client_id: _updated(kept.get(one.client_id), one, now) for one in static}
    for client in kept.values():
        if client.static and client.client_id not in wanted:
            remove_client(connection, client.client_id)
    for client in wanted.values():
        put_client(connection, client)
    others = [client for client in kept.values() if not client.static]
    return [*others, *wanted.values()], [_role(row) for row in connection.execute("SELECT * FROM auth_roles")]


def _updated(kept: Client | None, static: StaticClient, now: int) -> Client:
    fresh = Client.make_static(static, now)
    if kept is None:
        return fresh
    same = (kept.scopes, kept.description) == (fresh.scopes, fresh.description)
    return replace(
        fresh,
        expires=kept.expires,
        created=kept.created,
        last_used=kept.last_used,
        last_modified=kept.last_modified if same else now,
        last_rotated=kept.last_rotated if kept.access_token == fresh.access_token else now,
    )


def put_client(connection: Connection, client: Client) -> None:
    """A job that keeps a client as it is now."""
    rows.put(connection, "auth_clients", {**vars(client), "scopes": json.dumps(client.scopes)})


def put_last_used(connection: Connection, client_id: str, when: int) -> None:
    """A job that keeps when a client was seen."""
    connection.execute("UPDATE auth_clients SET last_used = ? WHERE client_id = ?", (when, client_id))


def remove_client(connection: Connection, client_id: str) -> None:
    """A job that forgets a client."""
    connection.execute("DELETE FROM auth_clients WHERE client_id = ?", (client_id,))


def put_role(connection: Connection, role: Role) -> None:
    """A job that keeps a role as it is now."""
    rows.put(connection, "auth_roles", {**vars(role), "scopes": json.dumps(role.scopes)})


def remove_role(connection: Connection, role_id: str) -> None:
    """A job that forgets a role."""
    connection.execute("DELETE FROM auth_roles WHERE role_id = ?", (role_id,))


def _client(row: Row) -> Client:
    switches = {name: bool(row[name]) for name in ("disabled", "delete_on_expiration", "static")}
    return rows.read(Client, row, scopes=tuple(json.loads(row["scopes"])), **switches)


def _role(row: Row) -> Role:
    return rows.read(Role, row, scopes=tuple(json.loads(row["scopes"])))
