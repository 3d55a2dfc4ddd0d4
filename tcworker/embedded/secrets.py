"""Secrets that services keep for those who may read them (contracts of the queue, 5).

They are as they came in the database, whose file nobody else may read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from tcworker.embedded import dates, rows
from tcworker.embedded.api_service import ApiService
from tcworker.embedded.calls import Call
from tcworker.embedded.expiry import deletion
from tcworker.embedded.faults import not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.paging import PAGED, one_page, page_of
from tcworker.embedded.routing import OMITTED, Route
from tcworker.embedded.schemas import DATE, Checker, closed
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (
    name TEXT PRIMARY KEY, secret TEXT NOT NULL, expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS secrets_by_end ON secrets (expires);
"""

SECRET = "/secret/<*name>"

_BODY = closed({"secret": {"type": "object"}, "expires": DATE}, required=["secret", "expires"])


class SecretsService(ApiService):
    """Keeps secrets."""

    schema = SCHEMA
    expired = (deletion("secrets", "name"),)

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        super().__init__("secrets", ground, self._routes(), {})

    def _routes(self) -> Sequence[Route]:
        change, body = "secrets:set:<name>", Checker(_BODY, secret=True)
        return [
            Route("set", "PUT", SECRET, self._set, change, body=body, show=_without_secret),
            Route("remove", "DELETE", SECRET, self._remove, change),
            Route("get", "GET", SECRET, self._get, "secrets:get:<name>"),
            Route("list", "GET", "/secrets", self._list, "secrets:list-secrets", PAGED),
        ]

    async def _set(self, call: Call) -> JSON:
        secret, expires = json.dumps(call.body["secret"]), dates.read(call.body["expires"])
        await self._ground.database.run(_put, call.params["name"], secret, expires)
        return {}

    async def _remove(self, call: Call) -> JSON:
        await self._ground.database.run(_remove, call.params["name"])
        return {}

    async def _get(self, call: Call) -> JSON:
        found = await self._ground.database.read(_find, call.params["name"], dates.now(self._ground.clock))
        if found is None:
            raise not_found("Secret not found")
        return found

    async def _list(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        names = await self._ground.database.read(_page, dates.now(self._ground.clock), limit, after)
        return one_page("secrets", [(name, name) for name in names], limit)


def _without_secret(body: JSON) -> JSON:
    return {**body, "secret": OMITTED} if isinstance(body, dict) else OMITTED


def _put(connection: sqlite3.Connection, name: str, secret: str, expires: int) -> None:
    rows.put(connection, "secrets", {"name": name, "secret": secret, "expires": expires})


def _remove(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM secrets WHERE name = ?", (name,))


def _find(connection: sqlite3.Connection, name: str, now: int) -> JSON:
    row = connection.execute("SELECT * FROM secrets WHERE name = ? AND expires > ?", (name, now)).fetchone()
    return row and {"secret": json.loads(row["secret"]), "expires": dates.write(row["expires"])}


def _page(connection: sqlite3.Connection, now: int, limit: int, after: str) -> Sequence[str]:
    query = "SELECT name FROM secrets WHERE name > ? AND expires > ? ORDER BY name LIMIT ?"
    return [row["name"] for row in connection.execute(query, (after, now, limit + 1))]
