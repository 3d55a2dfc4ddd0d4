"""What a Taskcluster is told when it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tcworker.embedded import ROOT_CLIENT
from tcworker.embedded.auth.clients import StaticClient, new_token
from tcworker.embedded.times import Times
from tcworker.embedded.worker_manager.proofs import ProofKeys
from tcworker.interfaces import Credentials


def new_root() -> Credentials:
    """Make the client who may do everything, with a new access token."""
    return Credentials(ROOT_CLIENT, new_token())


@dataclass(frozen=True)
class TaskclusterSettings:
    """All that stays as it is while it runs.

    @ivar port: 0 for any that is free.
    @ivar host: the name or address by which clients call this machine; C{interface} unless given.
    @ivar root_url: what clients call it by, if that is not host and port: the address of a proxy before it.
    @ivar root: gives the client who may do everything. Called once the folder is taken and its database known to be
        good; when it raises something, that is what L{Taskcluster.when_listening} fails with.
    @ivar static_clients: more who are there from the start, see L{tcworker.embedded.auth.static_file}.
    @ivar tunnel_secret: what tokens of websocktunnel are signed with; one of its own when C{None}.
    @ivar proof_keys: by what machines of clouds are known that register as workers; such clouds are not there
        without any.
    @ivar pulse: the AMQP URL of a broker that is told everything that happens; L{ConfigError} for one that cannot be.
    @ivar in_memory: whether the database is not to be kept; the contents of artifacts are files all the same.
    """

    interface: str = "127.0.0.1"
    port: int = 0
    host: str | None = None
    root_url: str | None = None
    times: Times = field(default_factory=Times)
    root: Callable[[], Credentials] = new_root
    static_clients: Sequence[StaticClient] = ()
    tunnel_secret: str | None = field(default=None, repr=False)
    proof_keys: ProofKeys = field(default_factory=ProofKeys)
    pulse: str | None = field(default=None, repr=False)
    in_memory: bool = False

    def url(self, port: int) -> str:
        """Give the root URL of one that listens at a port."""
        host = self.host or self.interface
        return self.root_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
