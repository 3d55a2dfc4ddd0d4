"""Clients: whoever has an access token of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import slugid

from tcworker.embedded import dates
from tcworker.interfaces import JSON

CLIENT_ID = "^[A-Za-z0-9!@/:.+|_-]+$"

STATIC = "static/"
"""What the ids of those begin with whom nobody can change but who runs the server."""

NEVER = 1000 * 365 * dates.DAY
"""After this time a static client expires."""

STATIC_NOTE = "\n---\nA **static client**: it is set where the server is started, and cannot be changed by calls."


@dataclass(frozen=True)
class StaticClient:
    """A client that is there from the start.

    @ivar scopes: not expanded.
    """

    client_id: str
    access_token: str = field(repr=False)
    scopes: Sequence[str] = ()
    description: str = ""


@dataclass(frozen=True)
class Client:
    """A client as it is kept; dates are in milliseconds.

    @ivar scopes: not expanded.
    @ivar last_used: give or take some hours.
    @ivar last_rotated: when it got its access token.
    @ivar delete_on_expiration: whether it goes away after C{expires}.
    @ivar static: whether it was made of a L{StaticClient}.
    """

    client_id: str
    access_token: str = field(repr=False)
    scopes: Sequence[str]
    description: str
    expires: int
    created: int
    last_modified: int
    last_used: int
    last_rotated: int
    disabled: bool = False
    delete_on_expiration: bool = False
    static: bool = False

    @classmethod
    def make_static(cls, static: StaticClient, now: int) -> Client:
        """Make a static client, who is new."""
        scopes, description = tuple(static.scopes), static.description + STATIC_NOTE
        dates_of_it = (now + NEVER, now, now, now, now)
        return cls(static.client_id, static.access_token, scopes, description, *dates_of_it, static=True)

    def body(self, expanded: Iterable[str]) -> JSON:
        """Give it as clients see it, so without its access token; C{expanded} are its scopes and those of its roles."""
        return {
            "clientId": self.client_id,
            "description": self.description,
            "expires": dates.write(self.expires),
            "created": dates.write(self.created),
            "lastModified": dates.write(self.last_modified),
            "lastDateUsed": dates.write(self.last_used),
            "lastRotated": dates.write(self.last_rotated),
            "deleteOnExpiration": self.delete_on_expiration,
            "scopes": list(self.scopes),
            "expandedScopes": list(expanded),
            "disabled": self.disabled,
        }


def new_token() -> str:
    """Make an access token."""
    return str(slugid.v4() + slugid.v4())
