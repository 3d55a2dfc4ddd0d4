"""The way to servers: with the worker's own client where Taskcluster leads, with a guarded one everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tcworker.client.http import HTTP
from tcworker.client.trouble import shown
from tcworker.download.address import Address, Target, read_target
from tcworker.download.answers import Elsewhere
from tcworker.download.arriving import Arriving
from tcworker.download.passing import Hopeless

MOST_REDIRECTS = 10


@dataclass(frozen=True)
class Servers:
    """All servers.

    @ivar own: a client that may go everywhere.
    @ivar guarded: one that keeps out of the networks that the operator denies.
    """

    own: HTTP
    guarded: HTTP

    async def ask(
        self, method: str, address: Address, headers: dict[str, str], silence: Callable[[], float]
    ) -> Arriving:
        """Ask for content, and follow where servers lead. Fails as L{Arriving.ask} does otherwise.

        @param silence: gives the seconds for which no byte need come, whenever one of these servers is waited for.
        """
        url, http = address.url, self.own if address.trusted else self.guarded
        for _ in range(MOST_REDIRECTS + 1):
            try:
                return await Arriving.ask(http, method, _target(url), headers, silence)
            except Elsewhere as elsewhere:
                # Wherever it leads to was not named by Taskcluster any more.
                url, http = elsewhere.url, self.guarded
        raise Hopeless(f"it leads from one address to the next, more than {MOST_REDIRECTS} times: name the last one")


def _target(url: str) -> Target:
    try:
        return read_target(url)
    except ValueError as error:
        raise Hopeless(f"it leads to {shown(url)}: {error}") from error
