"""What C{tcworker server} is asked for, and why it may refuse."""

from __future__ import annotations

from dataclasses import dataclass, field

from tcworker.errors import ProcessStatus

LOOPBACK, PORT = "127.0.0.1", 8080
POOL = "local/tasks"
CLIENT_ID = "static/taskcluster/root"


@dataclass(frozen=True)
class ServerOptions:
    """What the command line says.

    @ivar host: a name or an address, to listen at and to be called by.
    @ivar port: 0 for any that is free.
    @ivar data: a folder; C{None} for one that goes with the server.
    @ivar pulse: the URL of a RabbitMQ, with its password.
    @ivar access_token_file: holds the token of the client who may do everything.
    @ivar static_clients: a file of further clients (L{tcworker.embedded.auth.static_file}).
    @ivar worker: whether there is one.
    @ivar pool: whose tasks the worker takes, as C{provisionerId/workerType}.
    @ivar capacity: of the worker; C{None} for what its settings say.
    @ivar worker_config: a file of settings for the worker.
    """

    host: str = LOOPBACK
    port: int = PORT
    data: str | None = None
    pulse: str | None = field(default=None, repr=False)
    client_id: str = CLIENT_ID
    access_token_file: str | None = None
    static_clients: str | None = None
    worker: bool = True
    pool: str = POOL
    capacity: int | None = None
    worker_config: str | None = None


class CannotServe(Exception):
    """It does not start; the text says what is wrong and what to do.

    @ivar status: for the process to exit with.
    """

    def __init__(self, why: str, status: int = ProcessStatus.UNUSABLE_CONFIG) -> None:
        super().__init__(why)
        self.status = status
