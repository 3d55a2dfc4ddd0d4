"""The one client whose access token everybody knows, by whom libraries try out whether they sign well."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.client.scopes import ScopeSet
from tcworker.embedded.auth.clients import NEVER, Client
from tcworker.embedded.auth.signatures import Refused

TESTER = "tester"
TOKEN = "no-secret"


class Tester:
    """Those who may sign in a call for trying it out: this client alone, and no roles.

    @param scopes: what the client has in this call.
    """

    def __init__(self, scopes: Sequence[str]) -> None:
        self._client = Client(TESTER, TOKEN, tuple(scopes), "", NEVER, 0, 0, 0, 0)

    def client(self, client_id: str) -> Client:
        """Give the client. Raises L{Refused} for any other."""
        if client_id != TESTER:
            raise Refused(f"there is no client {client_id} here, only {TESTER}")
        return self._client

    def scopes_of(self, client: Client) -> ScopeSet:
        """Give the client's scopes."""
        return ScopeSet(client.scopes)

    def expand(self, scopes: Sequence[str]) -> ScopeSet:
        """Give the scopes as they are."""
        return ScopeSet(scopes)

    def used(self, client: Client) -> None:
        """Take no note of it."""
