"""The worker inside: who it is, with which rights and settings."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from datetime import timedelta

from twisted.internet.interfaces import IReactorTime

from tcworker.client.services import Auth
from tcworker.config import Source, load_files
from tcworker.errors import CallFailed
from tcworker.interfaces import Credentials
from tcworker.server.options import ServerOptions
from tcworker.task.claim import write_date
from tcworker.waiting import now

GROUP = "local"

GRACE = 10
"""Seconds that running tasks have when the server ends."""

LASTS = timedelta(days=36500)


def worker_id() -> str:
    """Name the worker after its machine; a worker's id may not have what a host's name may, a dot mostly."""
    return re.sub("[^a-zA-Z0-9_-]", "-", socket.gethostname())[:38] or "local"


async def make_client(auth: Auth, pool: str, clock: IReactorTime) -> Credentials:
    """Make a client that may claim tasks of a pool and nothing else; its token is another one after each start.

    Raises L{TaskclusterError}.

    @param auth: signs as somebody who may do everything.
    """
    me = f"{GROUP}/{worker_id()}"
    client_id = f"worker/{pool}/{me}"
    client = {
        "description": "The worker that runs inside the server, which makes it a new token whenever it starts.",
        "expires": write_date(now(clock) + LASTS),
        "scopes": [f"queue:claim-work:{pool}", f"queue:worker-id:{me}"],
    }
    try:
        made = await auth.create_client(client_id, client)
    except CallFailed as error:
        if error.status != 409:
            raise
        await auth.update_client(client_id, client)
        made = await auth.reset_access_token(client_id)
    return Credentials(client_id, made["accessToken"])


def settings(options: ServerOptions, folder: str, root_url: str, credentials: Credentials) -> Sequence[Source]:
    """Give the worker's settings: a file of somebody's goes over what is usual here, and not over who it is."""
    provisioner_id, worker_type = options.pool.split("/")
    usual = {
        "tasksDir": os.path.join(folder, "tasks"),
        # On a machine of one's own a task may have the last byte of the disk.
        "requiredDiskSpaceMegabytes": 0,
        "shutdownGraceSecs": GRACE,
    }
    identity = {
        "rootURL": root_url,
        "clientId": credentials.client_id,
        "accessToken": credentials.access_token,
        "provisionerId": provisioner_id,
        "workerType": worker_type,
        "workerGroup": GROUP,
        "workerId": worker_id(),
        "stateDir": os.path.join(folder, "state"),
    }
    if options.capacity is not None:
        identity["capacity"] = options.capacity  # type: ignore[assignment]  # not a text, like the others
    files = [options.worker_config] if options.worker_config is not None else []
    return [Source("usual", usual), *load_files(files), Source("tcworker server", identity)]
