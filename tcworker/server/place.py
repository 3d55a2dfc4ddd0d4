"""Where a server listens, what its machine is called by, and who may reach it there."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from tcworker.server.options import CannotServe
from tcworker.server.token import SHORTEST, Token


@dataclass(frozen=True)
class Place:
    """Where to listen.

    @ivar interface: an address.
    @ivar name: a name or an address for the root URL.
    @ivar is_private: whether nobody but this machine gets there.
    """

    interface: str
    name: str
    is_private: bool


def find_place(host: str) -> Place:
    """Look up a name or an address of this machine. Raises L{CannotServe}."""
    if "%" in host:
        raise CannotServe(f"--host {host}: an address of one link cannot stand in a URL; give another one")
    address = _look_up(host)
    if address.is_unspecified:
        return Place(str(address), _name_of_machine(host), False)
    return Place(str(address), host, address.is_loopback)


def check_token(token: Token, place: Place) -> None:
    """Raise L{CannotServe} for a token that is not good enough for where everybody can try it."""
    if place.is_private:
        return
    where = f"others can reach {place.name}"
    if token.made:
        raise CannotServe(
            f"{where}, and whoever knows the access token runs commands here: choose one yourself, with "
            "--access-token-file or the variable TASKCLUSTER_ACCESS_TOKEN"
        )
    if len(token.text) < SHORTEST:
        raise CannotServe(f"{where}, and the access token could be guessed: take one of {SHORTEST} letters or more")


def _look_up(host: str) -> IPv4Address | IPv6Address:
    try:
        # The first of them: a server has one root URL. (Before it serves; nobody waits but the one who started it.)
        return ip_address(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no possible name"
        raise CannotServe(f"--host {host}: {why}; give a name or an address of this machine") from None


def _name_of_machine(host: str) -> str:
    """Say what clients can call a server that listens at every address."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        raise CannotServe(
            f"--host {host}: clients need a name for the root URL, and this machine's own, {name}, cannot be "
            "looked up; give --host an address or a name that can"
        ) from None
    return name
