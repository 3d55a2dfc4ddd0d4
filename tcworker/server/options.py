"""What C{tcworker server} is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from tcworker.embedded import ROOT_CLIENT
from tcworker.embedded.times import Times


@dataclass(frozen=True)
class ServerOptions:
    """What the command line says; the defaults are those of the command.

    @ivar host: a name or an address, to listen at and to be called by.
    @ivar port: 0 for any that is free.
    @ivar root_url: what it is called by instead, if there is a proxy before it.
    @ivar data: a folder; C{None} for one that goes with the server.
    @ivar pulse: the URL of a RabbitMQ, with its password.
    @ivar access_token_file: holds the token of the client who may do everything.
    @ivar static_clients: a file of further clients (L{tcworker.embedded.auth.static_file}).
    @ivar tunnel_secret_file: holds what a websocktunnel knows its clients by.
    @ivar worker: whether there is one.
    @ivar pool: whose tasks the worker takes, as C{provisionerId/workerType}.
    @ivar capacity: of the worker; C{None} for what its settings say.
    @ivar worker_config: a file of settings for the worker.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    root_url: str | None = None
    data: str | None = None
    pulse: str | None = field(default=None, repr=False)
    times: Times = field(default_factory=Times)
    client_id: str = ROOT_CLIENT
    access_token_file: str | None = None
    static_clients: str | None = None
    tunnel_secret_file: str | None = None
    worker: bool = True
    pool: str = "local/tasks"
    capacity: int | None = None
    worker_config: str | None = None
