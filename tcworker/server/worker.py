"""The worker inside: who it is, with which rights and settings."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from tcworker.config import Source, fitting, lay_over, load_files, so_far, usual_tasks_dir
from tcworker.deployment import WORKER_GROUP, worker_id
from tcworker.embedded.auth.clients import StaticClient
from tcworker.interfaces import JSON
from tcworker.server.options import ServerOptions

GRACE = 5
"""Seconds that running tasks have when the server ends."""

CLIENT_ID = "static/taskcluster/worker"


def new_client(pool: str) -> StaticClient:
    """Make the client of the worker, which may claim tasks of a pool and nothing else; it is good for one start."""
    scopes = (f"queue:claim-work:{pool}", f"queue:worker-id:{WORKER_GROUP}/{worker_id()}")
    return StaticClient(CLIENT_ID, secrets.token_urlsafe(33), scopes, "The worker inside this server.")


def settings(options: ServerOptions, folder: str, root_url: str, client: StaticClient) -> Sequence[Source]:
    """Give the worker's settings: a file of somebody's goes over what is usual here, and not over who it is."""
    provisioner_id, worker_type = options.pool.split("/")
    usual: dict[str, JSON] = {
        # On a machine of one's own a task may have the last byte of the disk.
        "requiredDiskSpaceMegabytes": 0,
        # The folder in which somebody works is not the place for a file of the worker.
        "enableMetadata": False,
        "shutdownGraceSecs": GRACE,
    }
    identity = {
        "rootURL": root_url,
        "clientId": client.client_id,
        "accessToken": client.access_token,
        "provisionerId": provisioner_id,
        "workerType": worker_type,
        "workerGroup": WORKER_GROUP,
        "workerId": worker_id(),
        "stateDir": os.path.join(folder, "state"),
    }
    if options.capacity is not None:
        identity["capacity"] = options.capacity  # type: ignore[assignment]  # not a text, like the others
    files = [options.worker_config] if options.worker_config is not None else []
    given = [*load_files(files), Source("tcworker server", identity)]
    usual["tasksDir"] = usual_tasks_dir(so_far(fitting(lay_over(given))).task_users, folder)
    return [Source("usual", usual), *given]
