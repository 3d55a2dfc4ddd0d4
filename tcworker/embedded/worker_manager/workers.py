"""Workers: what is kept of them (contracts of the queue, 4.1 to 4.3)."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from tcworker.embedded import dates, rows
from tcworker.embedded.faults import conflict, not_found
from tcworker.embedded.worker_manager.bodies import REREGISTRATION_SECONDS
from tcworker.interfaces import JSON

SCHEMA = """
CREATE TABLE IF NOT EXISTS workers (
    pool_id TEXT NOT NULL, worker_group TEXT NOT NULL, worker_id TEXT NOT NULL, provider_id TEXT NOT NULL,
    state TEXT NOT NULL, capacity INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
    modified INTEGER NOT NULL, static_secret TEXT, secret TEXT, identity TEXT NOT NULL, config TEXT NOT NULL,
    reregistration INTEGER NOT NULL, launch_config_id TEXT, terminate TEXT,
    PRIMARY KEY (pool_id, worker_group, worker_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS workers_by_end ON workers (expires);
"""

STATES = ("requested", "running", "stopping", "stopped")

_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE state = '{state}') AS {state}Count,"
    f" coalesce(sum(capacity) FILTER (WHERE state = '{state}'), 0) AS {state}Capacity"
    for state in STATES
)
COUNTS = f"coalesce(sum(capacity) FILTER (WHERE state <> 'stopped'), 0) AS currentCapacity, {_COUNTS}"
"""What C{SELECT} counts of the workers of a pool, named as it is answered."""


@dataclass(frozen=True)
class Worker:
    """A worker. Times are in milliseconds.

    @ivar state: one of L{STATES}.
    @ivar static_secret: the hash of the secret that proves who it is, as is C{secret}, which is good for one
        reregistration.
    @ivar identity: what a cloud's proof must say of it.
    @ivar config: what it is given when it registers, unless it is static.
    @ivar reregistration: how long its credentials last, in seconds.
    @ivar terminate: why it should go; C{None} unless it should.
    """

    pool_id: str
    worker_group: str
    worker_id: str
    provider_id: str
    state: str
    capacity: int
    created: int
    expires: int
    modified: int
    static_secret: str | None = None
    secret: str | None = None
    identity: JSON = None
    config: JSON = None
    reregistration: int = REREGISTRATION_SECONDS
    launch_config_id: str | None = None
    terminate: str | None = None

    @property
    def name(self) -> str:
        """As it stands in scopes: pool, group and id."""
        return f"{self.pool_id}/{self.worker_group}/{self.worker_id}"

    def to_json(self) -> JSON:
        """Give it as it is answered."""
        launched = {} if self.launch_config_id is None else {"launchConfigId": self.launch_config_id}
        return {
            "workerPoolId": self.pool_id,
            "workerGroup": self.worker_group,
            "workerId": self.worker_id,
            "providerId": self.provider_id,
            "created": dates.write(self.created),
            "expires": dates.write(self.expires),
            "lastModified": dates.write(self.modified),
            # Nobody looks after them at a cloud: the time at which they were made, as for static ones.
            "lastChecked": dates.write(self.created),
            "capacity": self.capacity,
            "state": self.state,
            **launched,
        }


def digest(secret: str) -> str:
    """Give what is kept of a secret: it is long and random, so that nobody can guess it back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(kept: str | None, secret: str) -> bool:
    """Whether a secret is the one of which something is kept."""
    # How long it takes must not tell how much of a guess was right.
    return kept is not None and hmac.compare_digest(kept, digest(secret))


def put(connection: sqlite3.Connection, worker: Worker) -> None:
    """Keep a new worker, or what a worker has become."""
    written = {"identity": json.dumps(worker.identity), "config": json.dumps(worker.config)}
    rows.put(connection, "workers", {**vars(worker), **written})


def add(connection: sqlite3.Connection, worker: Worker) -> None:
    """Keep a worker that is new. Raises L{ApiError} (409) if there is one of its name."""
    if find(connection, worker.pool_id, worker.worker_group, worker.worker_id) is not None:
        raise conflict(f"Worker {worker.name} already exists")
    put(connection, worker)


def find(connection: sqlite3.Connection, pool_id: str, worker_group: str, worker_id: str) -> Worker | None:
    """Give a worker, if it is there."""
    query = "SELECT * FROM workers WHERE pool_id = ? AND worker_group = ? AND worker_id = ?"
    row = connection.execute(query, (pool_id, worker_group, worker_id)).fetchone()
    return _worker(row) if row else None


def get(connection: sqlite3.Connection, pool_id: str, worker_group: str, worker_id: str) -> Worker:
    """Give a worker. Raises L{ApiError} (404)."""
    worker = find(connection, pool_id, worker_group, worker_id)
    if worker is None:
        raise not_found(f"Worker {worker_group}/{worker_id} in worker pool {pool_id} does not exist")
    return worker


@dataclass(frozen=True)
class Wanted:
    """Which workers somebody wants to see; C{None} stands for any."""

    pool_id: str
    worker_group: str | None = None
    launch_config_id: str | None = None
    state: str | None = None


def page(connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str) -> Sequence[Worker]:
    """Give workers by group and id, one more than wanted if there are more."""
    # Neither of the two can have a slash.
    group, _, worker_id = after.partition("/")
    conditions, values = ["pool_id = ?", "(worker_group, worker_id) > (?, ?)"], [wanted.pool_id, group, worker_id]
    for name in ("worker_group", "launch_config_id", "state"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(f"{name} = ?")
            values.append(value)
    query = f"SELECT * FROM workers WHERE {' AND '.join(conditions)} ORDER BY worker_group, worker_id LIMIT ?"
    return [_worker(row) for row in connection.execute(query, (*values, limit + 1))]


def _worker(row: sqlite3.Row) -> Worker:
    return rows.read(Worker, row, identity=json.loads(row["identity"]), config=json.loads(row["config"]))


def counts(connection: sqlite3.Connection, pool_id: str) -> JSON:
    """Count the workers of a pool and what they can do at a time, by state."""
    return dict(connection.execute(f"SELECT {COUNTS} FROM workers WHERE pool_id = ?", (pool_id,)).fetchone())


def counts_by_config(connection: sqlite3.Connection, pool_id: str) -> Sequence[JSON]:
    """Do so for each launch configuration."""
    name = "coalesce(launch_config_id, '') AS launchConfigId"
    query = f"SELECT pool_id AS workerPoolId, {name}, {COUNTS} FROM workers WHERE pool_id = ? GROUP BY launch_config_id"
    return [dict(row) for row in connection.execute(query, (pool_id,))]
