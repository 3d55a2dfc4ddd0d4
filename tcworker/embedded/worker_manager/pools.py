"""Worker pools: what is kept of them, and their launch configurations (contracts of the queue, 4.3 and 4.4)."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tcworker.embedded import dates, rows
from tcworker.embedded.faults import not_found
from tcworker.embedded.worker_manager.bodies import REREGISTRATION_SECONDS
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS worker_pools (
    pool_id TEXT PRIMARY KEY, provider_id TEXT NOT NULL, earlier_providers TEXT NOT NULL, description TEXT NOT NULL,
    config TEXT NOT NULL, owner TEXT NOT NULL, email_on_error INTEGER NOT NULL, created INTEGER NOT NULL,
    modified INTEGER NOT NULL, terminate TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS launch_configs (
    pool_id TEXT NOT NULL, launch_config_id TEXT NOT NULL, archived INTEGER NOT NULL, configuration TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, PRIMARY KEY (pool_id, launch_config_id)
) WITHOUT ROWID;
"""

NULL_PROVIDER = "null-provider"


@dataclass(frozen=True)
class Pool:
    """A worker pool. Times are in milliseconds.

    @ivar earlier_providers: whose workers may still be there.
    @ivar terminate: why all its workers should go; C{None} unless they should.
    """

    pool_id: str
    provider_id: str
    earlier_providers: Sequence[str]
    description: str
    config: JSON
    owner: str
    email_on_error: bool
    created: int
    modified: int
    terminate: str | None = None

    @property
    def reregistration(self) -> int:
        """How long credentials of its workers last, in seconds."""
        # 0 stands for the default as well: it is what the real one's condition makes of it.
        return int(self.config.get("lifecycle", {}).get("reregistrationTimeout") or REREGISTRATION_SECONDS)

    def is_with(self, provider_id: str) -> bool:
        """Whether a provider's workers may be in it."""
        return provider_id == self.provider_id or provider_id in self.earlier_providers

    @property
    def words(self) -> JSON:
        """What somebody said who wanted it so."""
        return (self.pool_id, self.provider_id, self.description, self.config, self.owner, self.email_on_error)


def from_api(pool_id: str, body: JSON, now: int) -> Pool:
    """Make a pool of what somebody wants; launch configurations that have no id get one."""
    return Pool(
        pool_id=pool_id,
        provider_id=body["providerId"],
        earlier_providers=(),
        description=body["description"],
        config=_with_names(body["config"]),
        owner=body["owner"],
        email_on_error=body["emailOnError"],
        created=now,
        modified=now,
    )


def _with_names(config: JSON) -> JSON:
    if "launchConfigs" not in config:
        return config
    return {**config, "launchConfigs": [_with_name(one) for one in config["launchConfigs"]]}


def _with_name(config: JSON) -> JSON:
    of_manager = config.get("workerManager", {})
    if "launchConfigId" in of_manager:
        return config
    # The same configuration gets the same id each time: otherwise every update of its pool would archive it.
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return {**config, "workerManager": {**of_manager, "launchConfigId": f"lc-{digest[:20]}"}}


def named_configs(pool: Pool) -> Mapping[str, JSON]:
    """Give the launch configurations of a pool by their ids."""
    configs: Sequence[JSON] = pool.config.get("launchConfigs", ())
    return {one["workerManager"]["launchConfigId"]: one for one in configs}


def put(connection: sqlite3.Connection, pool: Pool) -> None:
    """Keep a new pool, or what a pool has become."""
    written = {"earlier_providers": json.dumps(list(pool.earlier_providers)), "config": json.dumps(pool.config)}
    rows.put(connection, "worker_pools", {**vars(pool), **written})


def find(connection: sqlite3.Connection, pool_id: str) -> Pool | None:
    """Give a pool, if it is there."""
    row = connection.execute("SELECT * FROM worker_pools WHERE pool_id = ?", (pool_id,)).fetchone()
    return _pool(row) if row else None


def get(connection: sqlite3.Connection, pool_id: str) -> Pool:
    """Give a pool. Raises L{ApiError} (404)."""
    pool = find(connection, pool_id)
    if pool is None:
        raise not_found(f"Worker pool {pool_id} does not exist")
    return pool


def page(connection: sqlite3.Connection, limit: int, after: str) -> Sequence[Pool]:
    """Give pools by their ids, one more than wanted if there are more."""
    query = "SELECT * FROM worker_pools WHERE pool_id > ? ORDER BY pool_id LIMIT ?"
    return [_pool(row) for row in connection.execute(query, (after, limit + 1))]


def _pool(row: sqlite3.Row) -> Pool:
    earlier, config = json.loads(row["earlier_providers"]), json.loads(row["config"])
    email = bool(row["email_on_error"])
    return rows.read(Pool, row, earlier_providers=tuple(earlier), config=config, email_on_error=email)


def remove_left(connection: sqlite3.Connection, before: int, most: int) -> int:
    """A job of L{Expiry}: remove pools that were given up, once they have no workers any more."""
    alone = "NOT EXISTS (SELECT 1 FROM workers WHERE workers.pool_id = worker_pools.pool_id)"
    query = f"SELECT pool_id FROM worker_pools WHERE provider_id = ? AND modified < ? AND {alone} LIMIT ?"
    gone = [(row["pool_id"],) for row in connection.execute(query, (NULL_PROVIDER, before, most)).fetchall()]
    # Of a pool that is not there nobody could ask for the rest.
    for table in ("worker_pools", "launch_configs", "worker_pool_errors"):
        connection.executemany(f"DELETE FROM {table} WHERE pool_id = ?", gone)
    return len(gone)


@dataclass(frozen=True)
class ConfigChanges:
    """Which launch configurations of a pool a change of it made, changed and gave up, by their ids."""

    created: Sequence[str]
    updated: Sequence[str]
    archived: Sequence[str]


def keep_configs(connection: sqlite3.Connection, pool: Pool, now: int) -> ConfigChanges:
    """Keep the launch configurations of a pool that is new or changed; those that are gone are archived."""
    wanted = {name: json.dumps(config) for name, config in named_configs(pool).items()}
    query = "SELECT launch_config_id, configuration FROM launch_configs WHERE pool_id = ? AND NOT archived"
    known: dict[str, str] = dict(tuple(row) for row in connection.execute(query, (pool.pool_id,)))
    changes = ConfigChanges(
        created=[name for name in wanted if name not in known],
        updated=[name for name in wanted if name in known and known[name] != wanted[name]],
        archived=[name for name in known if name not in wanted],
    )
    # One that was archived comes back as what it was, though it is told of as new.
    statement = (
        "INSERT INTO launch_configs (pool_id, launch_config_id, archived, configuration, created, modified)"
        " VALUES (?, ?, 0, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " archived = 0, configuration = excluded.configuration, modified = excluded.modified"
    )
    changed = [*changes.created, *changes.updated]
    connection.executemany(statement, [(pool.pool_id, name, wanted[name], now, now) for name in changed])
    archive = "UPDATE launch_configs SET archived = 1, modified = ? WHERE pool_id = ? AND launch_config_id = ?"
    connection.executemany(archive, [(now, pool.pool_id, name) for name in changes.archived])
    return changes


def config_page(
    connection: sqlite3.Connection, pool_id: str, archived: bool, limit: int, after: str
) -> Sequence[tuple[str, JSON]]:
    """Give launch configurations as they are answered, by their ids, those given up only if wanted."""
    get(connection, pool_id)
    # Nothing is more archived than 1: with that, all of them are given.
    query = "SELECT * FROM launch_configs WHERE pool_id = ? AND launch_config_id > ? AND archived <= ?"
    found = connection.execute(f"{query} ORDER BY launch_config_id LIMIT ?", (pool_id, after, archived, limit + 1))
    return [(row["launch_config_id"], _config(row)) for row in found]


def _config(row: sqlite3.Row) -> JSON:
    return {
        "launchConfigId": row["launch_config_id"],
        "workerPoolId": row["pool_id"],
        "isArchived": bool(row["archived"]),
        "configuration": json.loads(row["configuration"]),
        "created": dates.write(row["created"]),
        "lastModified": dates.write(row["modified"]),
    }
